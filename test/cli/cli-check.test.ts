import { createHash, generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { keyWarnings } from '../../src/cli/key-strength.js';
import { DedicatedConnection } from '../../src/database/dedicated-connection.js';
import { Settings } from '../../src/index.js';
import { RevocationChannel } from '../../src/sessions/revocation-channel.js';
import { generateKeys } from '../../src/tokens/generate-keys.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { ORM, runCli } from '../support/run-cli.js';
import { runInProcess, SOURCE_ORM } from '../support/run-in-process.js';
import { secrets } from '../support/secrets.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { createTestApp } from '../support/test-app.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const SECRET = 'kUaJ3Yv0pZr8WqLx5Tn2Hc7Ds1Gb9Mf4EeRiOy6';

let database: TestDatabase;
beforeAll(async () => {
  secrets.add(SECRET, ENCRYPTION_KEY);
  database = await createTestDatabase();
  const app = await createTestApp({ database });
  await app.orm.schema.create();
  await app.close();
  await database.pool.query('alter table auth_session set (fillfactor = 75)');
});
afterAll(async () => {
  await database.drop();
  secrets.assertNoneShown();
});

/** Variables with the value undefined are not set. */
const variables = (more: Record<string, string | undefined> = {}) =>
  ({
    DATABASE_URL: database.url,
    JWT_ALLAUTH_SECRET_KEY: SECRET,
    JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY,
    JWT_ALLAUTH_SESSION_LIFETIME: '90d',
    ...more,
  }) as Record<string, string>;
const run = (more: Record<string, string | undefined> = {}, ...args: string[]) =>
  runCli(['check', '--orm', ORM, ...args], variables(more));

/** The findings, by name. */
async function findings(more?: Record<string, string | undefined>) {
  const { code, stdout, stderr } = await runInProcess(['check', '--json', '--orm', SOURCE_ORM], variables(more));
  const { ok, checks } = JSON.parse(stdout);
  expect([stderr, code]).toEqual(['', ok ? 0 : 1]);
  const byName = Object.fromEntries(checks.map(({ name, ...finding }: { name: string }) => [name, finding]));
  expect(Object.keys(byName)).toHaveLength(checks.length);
  return { ok, byName };
}

/** Changes the database while `work` runs. */
async function changed(change: string, back: string, work: () => Promise<void>): Promise<void> {
  await database.pool.query(change);
  try {
    await work();
  } finally {
    await database.pool.query(back);
  }
}

const OF_KEYS = ['settings', 'keys', 'encryption-keys', 'audience'];
const OF_SETTINGS = [...OF_KEYS, 'session-lifetime', 'dpop', 'refresh-cookie', 'mails'];
const OF_USERS = ['placement', 'columns', 'address-index', 'addresses', 'address-doubles', 'hashes', 'verification'];
const OF_POOLERS = ['notifications', 'prepared-statements'];
const NAMES = [
  ...OF_SETTINGS,
  'project',
  'database',
  'isolation',
  'clock',
  ...OF_POOLERS,
  'fillfactor',
  'tables',
  ...OF_USERS,
];

describe('check', () => {
  test('finds no fault in a correct setup, prints a line for each check, and ends with exit code 0', async () => {
    const { code, stdout, stderr } = await run();
    expect([code, stderr]).toEqual([0, '']);
    const lines = stdout.split('\n').slice(0, -1);
    expect(lines.map((line) => line.replace(/:.*/, ''))).toEqual(NAMES.map((name) => `ok       ${name}`));
    expect(stdout).toMatch(/database: PostgreSQL \d+\.\d+ answers/);
    expect(stdout).toMatch(/project: the ORM knows AppUser and the entities of the library/);
  });

  test('prints the same as JSON', async () => {
    const { code, stdout } = await run({}, '--json');
    const { ok, checks, ...rest } = JSON.parse(stdout);
    expect([code, ok, rest]).toEqual([0, true, {}]);
    const message = expect.any(String);
    expect(checks).toEqual(NAMES.map((name) => ({ name, status: 'ok', message })));
  });

  test('lists every fault of the settings, and still runs the other checks', async () => {
    const { ok, byName } = await findings({
      JWT_ALLAUTH_SECRET_KEY: 'short',
      JWT_ALLAUTH_ISSUERR: 'x',
      JWT_ALLAUTH_ACCESS_TOKEN_LIFETIME: 'soon',
    });
    const needSettings = [...OF_SETTINGS.slice(1), 'verification'];
    expect([ok, Object.keys(byName)]).toEqual([false, NAMES.filter((name) => !needSettings.includes(name))]);
    const { status, message } = byName.settings;
    expect(status).toBe('failed');
    for (const part of [
      'SECRET_KEY must have at least 32 bytes',
      'ISSUERR is not a setting',
      'LIFETIME must be a duration',
    ]) {
      expect(message).toContain(part);
    }
    const others = Object.entries(byName).filter(([name]) => name !== 'settings');
    expect(others.map(([, finding]) => (finding as { status: string }).status)).toEqual(others.map(() => 'ok'));
  });

  test.each([
    ['REFRESH_TOKEN', './nowhere.js#Own', 'settings', /JWT_ALLAUTH_REFRESH_TOKEN names the module \.\/nowhere\.js/],
    ['REFRESH_TOKEN', `${ORM}#AppUser`, 'settings', /JWT_ALLAUTH_REFRESH_TOKEN names AppUser, but .* exports/],
    ['USER_ATTRIBUTES', '{"plan":"plan"}', 'project', /USER_ATTRIBUTES names "plan", which AppUser does not have/],
  ])('fails for a wrong %s, which otherwise only a start would detect', async (setting, value, name, found) => {
    const { ok, byName } = await findings({ [`JWT_ALLAUTH_${setting}`]: value });
    expect([ok, Object.keys(byName), byName[name].status]).toEqual([false, NAMES, 'failed']);
    const others = Object.entries(byName).filter(([other]) => other !== name);
    expect(others.map(([, finding]) => (finding as { status: string }).status)).toEqual(others.map(() => 'ok'));
    expect(byName[name].message).toMatch(found);
  });

  test("fails for an ORM without the library's entities, and without an ORM", async () => {
    for (const [reference, found] of [
      [`${ORM}#withoutOurs`, /does not know AuthSession: add \.\.\.createAuthEntities/],
      ['./nowhere.js', /--orm names the module \.\/nowhere\.js, which cannot be loaded/],
    ] as const) {
      const { code, stdout } = await run({}, '--orm', reference, '--json');
      const { checks } = JSON.parse(stdout);
      expect(code).toBe(1);
      expect(checks.map(({ name, status }: Record<string, string>) => [name, status])).toEqual([
        ...OF_SETTINGS.map((name) => [name, 'ok']),
        ['project', 'failed'],
      ]);
      expect(checks.at(-1).message).toMatch(found);
    }
  });

  test.each<[string, (url: URL) => void, RegExp]>([
    ['is away', (url) => Object.assign(url, { port: '1' }), /^The database cannot be used: .*ECONNREFUSED/],
    [
      'is another',
      (url) => Object.assign(url, { pathname: '/nowhere' }),
      /^The database returned an error: database "nowhere" does not/,
    ],
    [
      'knows another password',
      (url) => Object.assign(url, { password: 'x' }),
      /^The database returned an error: password authentication/,
    ],
  ])('fails for a database that %s', async (_, change, found) => {
    const url = new URL(database.url);
    change(url);
    const { byName } = await findings({ DATABASE_URL: url.href });
    expect([byName.project.status, byName.database.status]).toEqual(['ok', 'failed']);
    expect(byName.database.message).toMatch(found);
    expect(byName.clock).toBeUndefined();
    expect(byName.database.message).not.toContain(new URL(database.url).password);
  });

  test.each([
    [
      'alter table auth_revocation rename to gone',
      'alter table gone rename to auth_revocation',
      /"auth_revocation" is missing: run your migrations/,
    ],
    [
      'alter table auth_session rename device to gadget',
      'alter table auth_session rename gadget to device',
      /"auth_session" lacks device: run/,
    ],
    [
      'alter table app_user rename email_verified to seen',
      'alter table app_user rename seen to email_verified',
      /"app_user" lacks email_verified: run/,
    ],
  ])('fails after "%s"', async (change, back, found) => {
    await changed(change, back, async () => {
      const { ok, byName } = await findings();
      expect([ok, byName.tables.status]).toEqual([false, 'failed']);
      expect(byName.tables.message).toMatch(found);
    });
  });

  test('names missing tables without their schema, so that the line stays short', async () => {
    const tables = ['auth_counter', 'auth_revocation'];
    const change = tables.map((table) => `alter table ${table} rename to ${table}_gone`).join(';');
    const back = tables.map((table) => `alter table ${table}_gone rename to ${table}`).join(';');
    await changed(change, back, async () => {
      const { message } = (await findings()).byName.tables;
      expect(message).toMatch(
        /^2 tables are missing \((auth_revocation, auth_counter|auth_counter, auth_revocation)\): /,
      );
    });
  });

  test('accepts columns of the app that the library does not know', async () => {
    const change = 'alter table app_user rename permissions to rights; alter table auth_session add tenant int';
    const back = 'alter table app_user rename rights to permissions; alter table auth_session drop tenant';
    await changed(change, back, async () => expect((await findings()).ok).toBe(true));
  });

  test('warns about a database whose transactions are not read committed', async () => {
    const set = (what: string) => `do $$ begin execute 'alter database ' || current_database() || ' ${what}'; end $$`;
    const level = 'default_transaction_isolation';
    await changed(set(`set ${level} = serializable`), set(`reset ${level}`), async () => {
      const { ok, byName } = await findings();
      expect([ok, byName.isolation.status]).toEqual([true, 'warning']);
      expect(byName.isolation.message).toContain('the default isolation level is serializable');
    });
  });

  test('warns if the pages of the session table have no free space, and says what to do', async () => {
    for (const change of ['reset (fillfactor)', 'set (fillfactor = 91)']) {
      await changed(
        `alter table auth_session ${change}`,
        'alter table auth_session set (fillfactor = 75)',
        async () => {
          const { ok, byName } = await findings();
          expect([ok, byName.fillfactor.status]).toEqual([true, 'warning']);
          expect(byName.fillfactor.message).toContain('alter table auth_session set (fillfactor = 75)');
        },
      );
    }
  });

  test.each([
    [0.5, 'ok', /^this machine's clock is 0\.[4-6] s behind the database's$/],
    [3, 'warning', /^this machine's clock is (2\.9|3\.[01]) s behind the database's: synchronise both/],
    [-3, 'warning', /^this machine's clock is (2\.9|3\.[01]) s ahead of the database's: synchronise both/],
    [60, 'failed', /^this machine's clock is (59\.9|60\.[01]) s behind/],
  ])('of a database whose clock is %d s ahead is %s', async (seconds, status, found) => {
    const name = new URL(database.url).pathname.slice(1);
    await changed(
      `create schema fake; create function fake.clock_timestamp() returns timestamptz language sql
       as $$ select pg_catalog.clock_timestamp() + interval '${seconds} s' $$;
       alter database ${name} set search_path = fake, pg_catalog, public`,
      `alter database ${name} reset search_path; drop schema fake cascade`,
      async () => {
        const { ok, byName } = await findings();
        expect([ok, byName.clock.status]).toEqual([status !== 'failed', status]);
        expect(byName.clock.message).toMatch(found);
      },
    );
  });

  test('warns about a weak key without failing, and without showing it', async () => {
    const weak = 'correct horse battery staple and so on';
    secrets.add(weak);
    const { ok, byName } = await findings({ JWT_ALLAUTH_SECRET_KEY: weak });
    expect([ok, byName.keys]).toEqual([true, { status: 'warning', message: expect.stringContaining('generate-keys') }]);
  });
});

describe('check, about connection poolers', () => {
  const list = { JWT_ALLAUTH_ACCESS_TOKEN_SESSION_CHECK: 'revocation-list' };
  const listenUrl = () => ({ ...list, JWT_ALLAUTH_LISTEN_URL: database.url });
  let proxy: TcpProxy;
  beforeAll(async () => {
    proxy = await TcpProxy.start();
  });
  afterAll(() => proxy.close());

  test.each<[what: string, more: () => Record<string, string>, isDeaf: boolean, status: string, message: RegExp]>([
    ['arrive', () => list, false, 'ok', /^notifications of PostgreSQL arrive$/],
    ['do not arrive and are not needed', () => ({}), true, 'ok', /: only a revocation list would use them$/],
    ['do not arrive', () => list, true, 'warning', /up to a second later\. Remedy: set JWT_ALLAUTH_LISTEN_URL to/],
    ['arrive on LISTEN_URL', listenUrl, false, 'ok', /^notifications of PostgreSQL arrive$/],
    [
      'do not arrive on LISTEN_URL',
      () => ({ ...list, JWT_ALLAUTH_LISTEN_URL: proxy.urlOf(database.url) }),
      true,
      'failed',
      /^JWT_ALLAUTH_LISTEN_URL gets no notifications from the database of the app, so .* direct connection to the same/,
    ],
    [
      'have no LISTEN_URL that answers',
      () => ({ ...list, JWT_ALLAUTH_LISTEN_URL: 'postgresql://app:a-listen-password@127.0.0.1:1/app' }),
      false,
      'failed',
      /^JWT_ALLAUTH_LISTEN_URL: /,
    ],
  ])('reports whether notifications %s', async (_, more, isDeaf, status, message) => {
    secrets.add(new URL(database.url).password, 'a-listen-password');
    proxy.isDeaf = isDeaf;
    const { ok, byName } = await findings({ DATABASE_URL: proxy.urlOf(database.url), ...more() });
    expect([ok, byName.notifications]).toEqual([
      status !== 'failed',
      { status, message: expect.stringMatching(message) },
    ]);
  });

  test('closes its connections, also if a step fails', async () => {
    const opened = vi.spyOn(DedicatedConnection, 'open');
    const lost = vi.spyOn(RevocationChannel.prototype, 'verifyDelivery').mockRejectedValue(new Error('a fault'));
    expect((await findings()).byName.database).toEqual({ status: 'failed', message: 'a fault' });
    lost.mockRestore();
    vi.spyOn(DedicatedConnection.prototype, 'prepared').mockRejectedValueOnce(new Error('another fault'));
    expect((await findings()).byName.database).toEqual({ status: 'failed', message: 'another fault' });
    const connections = await Promise.all(
      opened.mock.results.map(({ value }) => value as Promise<DedicatedConnection>),
    );
    vi.restoreAllMocks();
    expect(connections).toHaveLength(4);
    for (const connection of connections) await expect(connection.query('select 1')).rejects.toThrow();
  });

  test('warns if a prepared statement is lost, and only then', async () => {
    const lost = Object.assign(new Error('prepared statement "jwt_allauth_check" already exists'), { code: '42P05' });
    const spy = vi.spyOn(DedicatedConnection.prototype, 'prepared').mockRejectedValue(lost);
    const message = expect.stringMatching(/Remedy: PgBouncer 1\.21 or newer with max_prepared_statements$/);
    expect((await findings()).byName['prepared-statements']).toEqual({ status: 'warning', message });
    spy.mockRestore();
    expect((await findings()).byName['prepared-statements'].status).toBe('ok');
  });
});

describe('check, about encryption keys', () => {
  const other = 'f3Zk9Qw1LmXb7Rt5Yc2Hn8Vd0Sg4Je6Ua_PoIiTyKqE';
  const found = async (more: Record<string, string | undefined>) => {
    secrets.add(more['JWT_ALLAUTH_SECRET_KEY'], more['JWT_ALLAUTH_ENCRYPTION_KEYS']);
    const { ok, byName } = await findings(more);
    return [ok, byName['encryption-keys'].status, byName['encryption-keys'].message];
  };

  test('warns in development about a key that is derived from the signing key', async () => {
    const development = { NODE_ENV: 'development', JWT_ALLAUTH_ENCRYPTION_KEYS: undefined };
    expect(await found(development)).toEqual([true, 'warning', expect.stringMatching(/ENCRYPTION_KEYS is not set/)]);
  });

  test.each<[what: string, more: Record<string, string>, message: RegExp]>([
    ['the secret of tokens', { JWT_ALLAUTH_SECRET_KEY: other, JWT_ALLAUTH_ENCRYPTION_KEYS: other }, /also signs or/],
    [
      'the secret of tokens, written in another way',
      {
        JWT_ALLAUTH_SECRET_KEY: other,
        JWT_ALLAUTH_ENCRYPTION_KEYS: Buffer.from(other, 'base64url').toString('hex'),
      },
      /also signs or verifies tokens/,
    ],
    [
      'an older secret of tokens',
      { JWT_ALLAUTH_VERIFYING_KEYS: `secret:${other}`, JWT_ALLAUTH_ENCRYPTION_KEYS: `${ENCRYPTION_KEY},${other}` },
      /^encryption key 2 also signs or verifies tokens/,
    ],
    [
      'a readable text',
      { JWT_ALLAUTH_ENCRYPTION_KEYS: Buffer.from('correct horse battery staple xyz').toString('base64url') },
      /a text/,
    ],
    ['a repeated byte', { JWT_ALLAUTH_ENCRYPTION_KEYS: 'fe'.repeat(32) }, /repetitions or sequences/],
  ])('warns about %s, and does not show the key', async (_, more, message) => {
    expect(await found(more)).toEqual([true, 'warning', expect.stringMatching(message)]);
  });

  test('accepts random keys', async () => {
    expect((await found({ JWT_ALLAUTH_ENCRYPTION_KEYS: `${other},${ENCRYPTION_KEY}` })).slice(0, 2)).toEqual([
      true,
      'ok',
    ]);
  });
});

test('sessions without an end, and a published key without an audience, cause warnings', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = {
    JWT_ALLAUTH_ALGORITHM: 'ES256',
    JWT_ALLAUTH_SECRET_KEY: undefined,
    JWT_ALLAUTH_PRIVATE_KEY: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
  const bad = async (more: Record<string, string | undefined>) => {
    const { ok, byName } = await findings(more);
    return [ok, ...Object.keys(byName).filter((name) => byName[name].status === 'warning')];
  };
  expect(await bad({ JWT_ALLAUTH_SESSION_LIFETIME: undefined })).toEqual([true, 'session-lifetime']);
  expect(await bad(key)).toEqual([true, 'audience']);
  expect(await bad({ ...key, JWT_ALLAUTH_AUDIENCE: 'https://api.example.com' })).toEqual([true]);
});

test.each([
  ['COOKIE_DOMAIN', 'example.com', 'JWT_ALLAUTH_REFRESH_TOKEN_COOKIE_DOMAIN is set'],
  ['COOKIE_PATH', '/auth', 'JWT_ALLAUTH_REFRESH_TOKEN_COOKIE_PATH is set'],
  ['COOKIE_NAME', 'session', 'JWT_ALLAUTH_REFRESH_TOKEN_COOKIE_NAME does not start with it'],
])(
  'a refresh cookie that other hosts of the domain can set (%s) causes a warning in production',
  async (name, value, why) => {
    const variables = { [`JWT_ALLAUTH_REFRESH_TOKEN_${name}`]: value };
    const { ok, byName } = await findings(variables);
    expect([ok, byName['refresh-cookie'].status]).toEqual([true, 'warning']);
    const { message } = byName['refresh-cookie'];
    expect(message).toContain(`has no __Host- prefix because ${why}`);
    expect(message).toContain('any host of the domain can set a cookie with the session of another account');
    expect(message).toContain(`unset JWT_ALLAUTH_REFRESH_TOKEN_${name}`);
    expect((await findings({ ...variables, NODE_ENV: 'development' })).byName['refresh-cookie'].status).toBe('ok');
    const body = await findings({ ...variables, JWT_ALLAUTH_REFRESH_TOKEN_AS_COOKIE: 'false' });
    expect(body.byName['refresh-cookie'].status).toBe('ok');
  },
);

test.each<[what: string, more: Record<string, string>, status: string, message: RegExp]>([
  ['nothing about it', {}, 'ok', /^the session of a client that sends proofs is bound to a key$/],
  ['off', { DPOP: 'off' }, 'ok', /^new sessions are not bound to a key/],
  [
    'access tokens that need proofs, and no new session with a key',
    { DPOP: 'off', ACCESS_TOKEN_BINDING: 'true', PUBLIC_URL: 'https://app.example.com' },
    'warning',
    /^JWT_ALLAUTH_ACCESS_TOKEN_BINDING is true and JWT_ALLAUTH_DPOP is off: new sessions have no key, so their access/,
  ],
  [
    'required, without the URL of the app',
    { DPOP: 'required' },
    'warning',
    /^JWT_ALLAUTH_DPOP=required needs proofs, and JWT_ALLAUTH_PUBLIC_URL is not set: .* refuses every proof\. Remedy: /,
  ],
  [
    'access tokens that need proofs, without the URL of the app',
    { ACCESS_TOKEN_BINDING: 'true' },
    'warning',
    /^JWT_ALLAUTH_ACCESS_TOKEN_BINDING=true needs proofs, and JWT_ALLAUTH_PUBLIC_URL is not set: /,
  ],
  ['required, with it', { DPOP: 'required', PUBLIC_URL: 'https://app.example.com' }, 'ok', /^every session is bound/],
])('the settings of bound sessions say %s', async (_, more, status, message) => {
  const names = Object.entries(more).map(([name, value]) => [`JWT_ALLAUTH_${name}`, value]);
  const { ok, byName } = await findings(Object.fromEntries(names));
  expect([ok, byName.dpop]).toEqual([true, { status, message: expect.stringMatching(message) }]);
});

test('a proof is expected at the address of a development server, without the URL of the app', async () => {
  const { byName } = await findings({ NODE_ENV: 'development', JWT_ALLAUTH_DPOP: 'required' });
  expect(byName.dpop).toEqual({ status: 'ok', message: 'every session is bound to a key' });
});

describe('a secret', () => {
  const warningsOf = (secretKey: string) => keyWarnings(Object.assign(new Settings(), { secretKey }));

  test.each([
    ['x'.repeat(64), /repetitions or sequences/],
    ['0123456789'.repeat(5), /is common in examples|repetitions or sequences/],
    ['abcdefghijklmnopqrstuvwxyz9876543210', /repetitions or sequences/],
    ['aB3$kL9!'.repeat(6), /repetitions or sequences/],
    ['01101001101011010010011010110100', /repetitions or sequences/],
    ['please-change-me-before-you-go-live!', /is common in examples/],
    ['mySuperSecretKeyForThisApplication01', /is common in examples/],
    ['the quick brown fox jumps over a lazy dog', /consists of words/],
  ])('of %s causes a warning', (secret, found) => {
    expect(warningsOf(secret)).toEqual([expect.stringMatching(found)]);
  });

  test('that looks random causes no warning, 3000 times', () => {
    for (let round = 0; round < 1000; round++) {
      for (const form of ['hex', 'base64', 'base64url'] as const) {
        const secret = createHash('sha256').update(`round ${round}`).digest(form); // the same in each run
        expect(warningsOf(secret), secret).toEqual([]);
      }
    }
  });

  test('that is random and contains consecutive digits causes no warning', () => {
    expect(warningsOf('9f123456c07be2a4d81f5360b9e7c2d4a6f81b3e5d7092c4')).toEqual([]);
  });
});

test('an RSA key of 2048 bits causes a warning, and the keys of generate-keys do not', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  const settings = (algorithm: string, key: unknown) => Object.assign(new Settings(), { algorithm, privateKey: key });
  expect(keyWarnings(settings('RS256', pem))).toEqual([expect.stringContaining('2048 bits: use 3072')]);
  for (const algorithm of ['RS256', 'ES256'] as const) {
    const keys = await generateKeys(algorithm);
    expect(keyWarnings(settings(algorithm, 'privateKey' in keys && keys.privateKey))).toEqual([]);
  }
});

test('links in mails without a mail server cause a warning, because the start is refused without a mailer', async () => {
  const links = { JWT_ALLAUTH_PUBLIC_URL: 'https://app.example.com' };
  const smtp = { JWT_ALLAUTH_SMTP_URL: 'smtps://mail.example.com', JWT_ALLAUTH_EMAIL_FROM: 'a@example.com' };
  const { ok, byName } = await findings(links);
  expect([ok, byName.settings.status, byName.mails.status]).toEqual([true, 'ok', 'warning']);
  expect(byName.mails.message).toMatch(
    /JWT_ALLAUTH_SMTP_URL is not: the app does not start, unless it passes a `mailer`/,
  );
  for (const harmless of [{}, smtp, { ...links, ...smtp }, { ...links, NODE_ENV: 'development' }])
    expect((await findings(harmless)).byName.mails.status).toBe('ok');
});
