/** The servers that are measured: the file of each, and its variant (BENCH_VARIANT). */
export const SERVERS = {
  ours: ['ours', 'HS256'],
  'ours, RS256': ['ours', 'RS256'],
  'ours, ES256': ['ours', 'ES256'],
  'ours, shipped token class': ['ours', 'shipped token class'],
  'ours, no login limit': ['ours', 'no login limit'],
  'ours, revocation list': ['ours', 'revocation-list'],
  'ours, database check': ['ours', 'database'],
  'ours, lean app': ['ours', 'lean'],
  'ours, partitioned': ['ours', 'partitioned'],
  'ours, 10 thousand sessions': ['ours', '10000'],
  'ours, 10 thousand bound sessions': ['ours', '10000'],
  'ours, 1 million sessions': ['ours', '1000000'],
  'ours, 10 million sessions': ['ours', '10000000'],
  'ours, 1 process': ['cluster', 'ours 1'],
  'ours, 2 processes': ['cluster', 'ours 2'],
  'ours, 4 processes': ['cluster', 'ours 4'],
  'hand, 1 process': ['cluster', 'hand 1'],
  'hand, 2 processes': ['cluster', 'hand 2'],
  bare: ['bare', ''],
  'bare, lean app': ['bare', 'lean'],
  'Express 5 alone': ['express', ''],
  hand: ['hand', ''],
  'passport-jwt': ['passport-jwt', ''],
  'express-jwt': ['express-jwt', ''],
  'better-auth': ['better-auth', 'argon2'],
  'better-auth, cookie cache': ['better-auth', 'argon2 cache'],
  'better-auth, its scrypt': ['better-auth', 'scrypt'],
  'better-auth, session extended': ['better-auth', 'argon2 extend'],
  'oidc-provider': ['oidc-provider', ''],
  argon2id: ['argon2id', ''],
} as const;

export type ServerName = keyof typeof SERVERS;

/** The kind of request. */
export type Kind =
  | 'get'
  | 'no token'
  | 'garbage'
  | 'expired'
  | 'refresh'
  | 'refresh of many'
  | 'bound refresh'
  | 'sign-in'
  | 'pgbench';

export interface Contestant {
  readonly name: string;
  readonly kind: Kind;
  /** Undefined for pgbench, which sends statements to the database itself. */
  readonly server?: ServerName;
}

/** A target for the ratio of two contestants' rates: its confidence interval must not fall below `least`. */
export interface Target {
  readonly of: string;
  readonly over: string;
  readonly least: number;
}

/** Contestants that are loaded in turn, with the same number of connections. */
export interface Contest {
  readonly id: string;
  readonly title: string;
  readonly connections: number;
  /** Number of slices before the first one that counts, so that rarely used code is compiled too; default: 2. */
  readonly warmUp?: number;
  /** Number of parts into which each slice is cut. For fast answers, more and closer pairs are more exact. */
  readonly cuts?: number;
  /** Whether servers are started only once, because a start takes long. */
  readonly isStartedOnce?: boolean;
  readonly contestants: readonly Contestant[];
  readonly targets: readonly Target[];
  /** Additional ratios to show, next to those with the first contestant. */
  readonly compared?: readonly Omit<Target, 'least'>[];
}

const all = (kind: Kind, ...servers: ServerName[]): Contestant[] =>
  servers.map((server) => ({ name: server, kind, server }));

export const CONTESTS: readonly Contest[] = [
  {
    id: 'get',
    title: 'An authenticated GET, 32 connections, 1000 tokens in turn',
    connections: 32,
    cuts: 4,
    contestants: all(
      'get',
      'ours',
      'bare',
      'hand',
      'passport-jwt',
      'express-jwt',
      'better-auth',
      'better-auth, cookie cache',
    ),
    targets: [
      { of: 'ours', over: 'hand', least: 1.1 },
      { of: 'ours', over: 'bare', least: 0.85 },
      { of: 'ours', over: 'better-auth', least: 5.5 },
      { of: 'ours', over: 'better-auth, cookie cache', least: 3.5 },
      { of: 'ours', over: 'passport-jwt', least: 1.5 },
    ],
  },
  {
    id: 'algorithms',
    title: 'An authenticated GET by the algorithm of tokens that were seen before, 32 connections',
    connections: 32,
    cuts: 8,
    contestants: all('get', 'ours', 'ours, RS256', 'ours, ES256'),
    targets: [
      { of: 'ours, RS256', over: 'ours', least: 0.97 },
      { of: 'ours, ES256', over: 'ours', least: 0.97 },
    ],
  },
  {
    id: 'session-check',
    title: 'An authenticated GET by how the session is checked, 32 connections',
    connections: 32,
    cuts: 8,
    contestants: all('get', 'ours', 'ours, revocation list', 'ours, database check'),
    targets: [{ of: 'ours, revocation list', over: 'ours', least: 0.97 }],
    compared: [{ of: 'ours, database check', over: 'ours' }],
  },
  {
    id: 'latency',
    title: 'An authenticated GET, 1 connection',
    connections: 1,
    cuts: 4,
    contestants: all('get', 'ours', 'bare', 'hand', 'express-jwt'),
    targets: [],
  },
  {
    id: 'framework',
    title: 'What Express and routing-controllers cost: an authenticated GET, 32 connections',
    connections: 32,
    cuts: 4,
    contestants: all('get', 'ours', 'ours, lean app', 'bare', 'bare, lean app', 'Express 5 alone'),
    targets: [],
  },
  {
    id: 'refused',
    title: 'Refused and accepted requests, 32 connections',
    connections: 32,
    cuts: 4,
    contestants: [
      { name: 'accepted', kind: 'get', server: 'ours' },
      { name: 'no token', kind: 'no token', server: 'ours' },
      { name: 'garbage', kind: 'garbage', server: 'ours' },
      { name: 'expired', kind: 'expired', server: 'ours' },
    ],
    targets: [
      { of: 'no token', over: 'accepted', least: 1 },
      { of: 'garbage', over: 'accepted', least: 1 },
      { of: 'expired', over: 'accepted', least: 1 },
    ],
  },
  {
    id: 'refresh',
    title: 'Refresh, 16 sessions at a time',
    connections: 16,
    cuts: 2,
    warmUp: 5,
    contestants: [
      ...all('refresh', 'ours', 'ours, shipped token class', 'hand', 'oidc-provider'),
      ...all('get', 'better-auth, session extended'),
      { name: 'pgbench', kind: 'pgbench' },
    ],
    targets: [
      { of: 'ours', over: 'hand', least: 0.95 },
      { of: 'ours, shipped token class', over: 'hand', least: 0.95 },
      { of: 'ours', over: 'oidc-provider', least: 2.8 },
      { of: 'ours', over: 'pgbench', least: 0.3 },
    ],
  },
  {
    id: 'bound-refresh',
    title: 'Refresh of 5000 random sessions, 16 at a time, with and without a DPoP proof',
    connections: 16,
    cuts: 2,
    warmUp: 5,
    contestants: [
      { name: 'with a proof', kind: 'bound refresh', server: 'ours, 10 thousand bound sessions' },
      { name: 'without', kind: 'refresh of many', server: 'ours, 10 thousand sessions' },
    ],
    targets: [{ of: 'with a proof', over: 'without', least: 0.85 }],
  },
  {
    id: 'sign-in',
    title: 'Sign-in, 8 at a time',
    connections: 8,
    warmUp: 10,
    contestants: all(
      'sign-in',
      'ours',
      'ours, no login limit',
      'argon2id',
      'hand',
      'better-auth',
      'better-auth, its scrypt',
    ),
    targets: [
      { of: 'ours', over: 'argon2id', least: 0.85 },
      { of: 'ours, no login limit', over: 'argon2id', least: 0.85 },
      { of: 'ours', over: 'better-auth', least: 1.1 },
      { of: 'ours, no login limit', over: 'better-auth', least: 1.1 },
    ],
  },
  {
    id: 'processes',
    title: 'Refresh, 16 sessions at a time, by several server processes on one database',
    connections: 16,
    cuts: 2,
    warmUp: 10,
    contestants: all(
      'refresh',
      'ours, 1 process',
      'ours, 2 processes',
      'ours, 4 processes',
      'hand, 1 process',
      'hand, 2 processes',
    ),
    targets: [{ of: 'ours, 2 processes', over: 'ours, 1 process', least: 1 }],
    compared: [{ of: 'hand, 2 processes', over: 'hand, 1 process' }],
  },
  {
    id: 'partitions',
    title: 'Refresh, 16 sessions at a time, with the whitelist in 16 hash partitions',
    connections: 16,
    cuts: 2,
    warmUp: 5,
    contestants: all('refresh', 'ours', 'ours, partitioned'),
    targets: [{ of: 'ours, partitioned', over: 'ours', least: 0.95 }],
  },
  {
    id: 'scale',
    title: 'Refresh of 5000 random sessions, 16 at a time, by the size of the whitelist',
    connections: 16,
    cuts: 2,
    isStartedOnce: true,
    warmUp: 5,
    contestants: all(
      'refresh of many',
      'ours, 10 thousand sessions',
      'ours, 1 million sessions',
      'ours, 10 million sessions',
    ),
    targets: [
      { of: 'ours, 1 million sessions', over: 'ours, 10 thousand sessions', least: 0.9 },
      { of: 'ours, 10 million sessions', over: 'ours, 10 thousand sessions', least: 0.9 },
    ],
  },
];
