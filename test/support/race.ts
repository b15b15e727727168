import { lockRows, testPlacement } from './citus.js';
import type { TestApp } from './test-app.js';
import type { TestClient } from './test-client.js';
import { waitForBlocked } from './test-database.js';
import { AppUser } from './users.js';

/** A user with one live session, created without the cost of a password hash. */
export interface Owner {
  readonly id: string;
  readonly client: TestClient;
  /** Another session of the same user. */
  another(): Promise<TestClient>;
  /** How many sessions of this user can still be refreshed. */
  live(): Promise<number>;
}

/** Creates a user, by SQL unless the app has its own schema, and opens a session through the service. */
export async function createOwner(app: TestApp, passwordHash: string | null = null): Promise<Owner> {
  const user = Object.assign(new AppUser(), { email: `${crypto.randomUUID()}@example.com`, passwordHash });
  const sql = 'insert into app_user (id, email, password_hash) values ($1, $2, $3)';
  if (app.orm.config.getSchema(true)) await app.orm.em.fork().persist(user).flush();
  else await app.database.pool.query(sql, [user.id, user.email, passwordHash]);
  const another = async () => {
    const client = app.client();
    const { access, refresh } = await app.auth.sessions.open(user);
    return Object.assign(client, { access, refreshToken: refresh });
  };
  return {
    id: user.id,
    client: await another(),
    another,
    live: async () => {
      const { rows } = await app.database.pool.query(
        'select count(*)::int as live from auth_session where user_id = $1 and enabled and expires_at > $2',
        [user.id, new Date(app.clock.now())],
      );
      return rows[0].live;
    },
  };
}

/**
 * Forces an order: holds a row, lets `first` and then `second` wait for it, and releases it. PostgreSQL serves the
 * waiting transactions in the order in which they came.
 */
export async function race<A, B>(
  app: TestApp,
  { table, id }: { table: string; id: string },
  first: () => Promise<A>,
  second: () => Promise<B>,
): Promise<[A, B]> {
  const [pair] = await raceAll(app, { table, ids: [id] }, [first], [second]);
  return pair as [A, B];
}

/** Forces the same order for several rows at once. @param first one for each row, as `second` */
export async function raceAll<A, B>(
  app: TestApp,
  { table, ids }: { table: string; ids: readonly string[] },
  first: readonly (() => Promise<A>)[],
  second: readonly (() => Promise<B>)[],
): Promise<[A, B][]> {
  const holder = await app.database.pool.connect();
  let isDone = false;
  try {
    await holder.query('begin');
    if (testPlacement()) await lockRows(holder, table, ids);
    else await holder.query(`select 1 from ${table} where id = any($1) for update`, [ids]);
    const a = first.map((begin) => begin());
    await waitForBlocked(app.database.pool, a.length);
    const b = second.map((begin) => begin());
    await waitForBlocked(app.database.pool, a.length + b.length);
    await holder.query('commit');
    isDone = true;
    const [firsts, seconds] = await Promise.all([Promise.all(a), Promise.all(b)]);
    return firsts.map((each, at) => [each, seconds[at] as B]);
  } finally {
    holder.release(!isDone); // a failed race must not leave its transaction to the next test
  }
}

/** Id of the session that a client is signed in to. */
export function sessionOf({ refreshToken }: TestClient): string {
  return claimsOf(refreshToken).session;
}

/** The claims of a token, unverified. */
// biome-ignore lint/suspicious/noExplicitAny: a test knows what it asks for
export function claimsOf(token: string): any {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}
