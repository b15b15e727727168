import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import type { SessionRevoked, SettingsInput } from '../../src/index.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { type Pooler, startPgBouncer } from '../support/pgbouncer.js';
import { createOwner, sessionOf } from '../support/race.js';
import { runInProcess, SOURCE_ORM } from '../support/run-in-process.js';
import { secrets } from '../support/secrets.js';
import { createTestApp, SECRET, type TestApp, type TestAppOptions } from '../support/test-app.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';

const LIST = { accessTokenSessionCheck: 'revocation-list', revocationListFallback: 'fail-closed' } as const;

const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const opened of open.splice(0).reverse()) await opened.close();
});

async function appWith(options: TestAppOptions): Promise<TestApp> {
  const app = await createTestApp(options);
  open.push(app);
  return app;
}

/** Uses the library in parallel as clients do, and returns the statuses of all answers. */
async function statusesOf(app: TestApp): Promise<number[]> {
  const client = await app.signedUp();
  const { email } = (await client.get('/auth/user')).body as { email: string };
  const life = async () => {
    const another = app.client();
    const answers = [await another.login(email), await another.refresh(), await another.get('/auth/user')];
    answers.push(await another.get('/auth/sessions'), await another.logout());
    return answers;
  };
  const lives = await Promise.all(Array.from({ length: 10 }, life));
  const last = [await client.changePassword(PASSWORD, 'another sentence, as long'), await client.logoutAll()];
  return [...lives.flat(), ...last].map(({ status }) => status);
}

const ALL_SERVED = [...Array.from({ length: 10 }, () => [200, 200, 200, 200, 204]).flat(), 200, 204];

test('a pool of one connection is enough to start and to serve with a revocation list', async () => {
  const settings = { ...LIST, auditLog: true, maxSessionsPerUser: 20, collectUserAgent: true };
  const app = await appWith({ orm: { driverOptions: { max: 1 } }, settings });
  expect(await statusesOf(app)).toEqual(ALL_SERVED);
  const pool: { options: object } = await app.orm.em.getConnection().getNativeClient();
  expect(pool.options).toMatchObject({ max: 1 });
});

// `TEST_PGBOUNCER=1 npm test -- poolers`, with Debian's package pgbouncer
describe.runIf(process.env['TEST_PGBOUNCER'])('behind PgBouncer in transaction mode with one connection', () => {
  let pooler: Pooler;
  beforeAll(async () => {
    pooler = await startPgBouncer(inject('databaseUrl'), inject('sharedFolder'), 1);
  });
  afterAll(() => pooler.stop());

  const pooled = (settings: SettingsInput = {}, options: TestAppOptions = {}) =>
    appWith({ databaseUrl: pooler.urlOf, settings: { ...LIST, ...settings }, ...options });
  const at = (server: TestApp, { access }: TestClient) => Object.assign(server.client(), { access });
  const warnings = ({ log }: TestApp) => log.filter(({ level }) => level !== 'info').map(({ message }) => message);
  const WARNING = expect.stringMatching(/^the revocation list gets no notifications, .* set listenUrl to the URL/);

  test('two servers start and serve, although prepared statements of one fail on the connection of the other', async () => {
    // The list shares the one connection with the requests, so it may be too late for a moment.
    const settings = { auditLog: true, revocationListFallback: 'database' } as const;
    const here = await pooled(settings);
    const there = await pooled(settings, { database: here.database });
    expect(await Promise.all([statusesOf(here), statusesOf(there)])).toEqual([ALL_SERVED, ALL_SERVED]);
    // Later statements have no name: the one connection to PostgreSQL has no more prepared statements than before.
    const count = () => here.orm.em.execute('select count(*)::int as count from pg_prepared_statements');
    const before = await count();
    expect(await statusesOf(here)).toEqual(ALL_SERVED);
    expect(await count()).toEqual(before);
  });

  test('a server learns of ended sessions, and warns once', async () => {
    const here = await pooled();
    const there = await pooled({}, { database: here.database });
    const revoked: SessionRevoked[] = [];
    there.auth.events.on('session.revoked', (event) => revoked.push(event));
    await until(() => warnings(there).length > 0);
    for (let round = 0; round < 5; round++) {
      const [{ client }, { client: other }] = [await createOwner(here), await createOwner(here)];
      expect((await at(there, client).get('/auth/user')).status).toBe(200);
      await client.logout();
      await until(async () => (await at(there, client).get('/auth/user')).status === 401);
      expect((await at(there, other).get('/auth/user')).status).toBe(200);
      await until(() => revoked.length > round);
      expect(revoked[round]).toMatchObject({ session: sessionOf(client), reason: 'elsewhere' });
    }
    expect([warnings(here), warnings(there)]).toEqual([[WARNING], [WARNING]]);
  });

  test('LISTEN_URL, a direct connection, gets the notifications', async () => {
    const first = await pooled();
    const listenUrl = first.database.url;
    secrets.add(new URL(listenUrl).password);
    const app = await pooled({ listenUrl }, { database: first.database });
    const { client } = await createOwner(first);
    await client.logout();
    await until(async () => (await at(app, client).get('/auth/user')).status === 401);
    expect(warnings(app)).toEqual([]);
  });

  test('a LISTEN_URL that leads through the pooler as well is not used', async () => {
    const first = await pooled();
    const listenUrl = pooler.urlOf(first.database.url);
    secrets.add(new URL(listenUrl).password);
    const app = await pooled({ listenUrl }, { database: first.database });
    const { client } = await createOwner(first);
    expect((await at(app, client).get('/auth/user')).status).toBe(503);
    expect(warnings(app)).toEqual(['the revocation list is not current', 'request failed']);
  });

  test('`check` finds what the pooler breaks, and what LISTEN_URL mends', async () => {
    const app = await appWith({});
    secrets.add(new URL(app.database.url).password);
    const found = async (more: Record<string, string>) => {
      const { stdout } = await runInProcess(['check', '--json', '--orm', SOURCE_ORM], {
        DATABASE_URL: pooler.urlOf(app.database.url),
        JWT_ALLAUTH_SECRET_KEY: SECRET,
        JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY,
        ...more,
      });
      const checks: { name: string; status: string }[] = JSON.parse(stdout).checks;
      return ['notifications', 'prepared-statements'].map((name) => checks.find((each) => each.name === name)?.status);
    };
    const list = { JWT_ALLAUTH_ACCESS_TOKEN_SESSION_CHECK: 'revocation-list' };
    expect(await found({})).toEqual(['ok', 'warning']);
    expect(await found(list)).toEqual(['warning', 'warning']);
    expect(await found({ ...list, JWT_ALLAUTH_LISTEN_URL: app.database.url })).toEqual(['ok', 'warning']);
    const wrong = { ...list, JWT_ALLAUTH_LISTEN_URL: pooler.urlOf(app.database.url) };
    expect(await found(wrong)).toEqual(['failed', 'warning']);
    expect(await found({ DATABASE_URL: app.database.url })).toEqual(['ok', 'ok']);
  });
});
