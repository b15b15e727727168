import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AuthEventMap, RefreshToken, type SettingsInput } from '../../src/index.js';
import { expectProblem } from '../support/expect-problem.js';
import { createOwner, sessionOf } from '../support/race.js';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/test-app.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';

type EmittedEvent = [name: keyof AuthEventMap, event: AuthEventMap[keyof AuthEventMap]];

let app: TestApp;
let emitted: EmittedEvent[];

async function start(settings: SettingsInput = {}, options: TestAppOptions = {}): Promise<void> {
  app = await createTestApp({ ...options, settings });
  emitted = [];
  app.auth.events.onAny((name, event) => emitted.push([name, event]));
}
afterEach(() => app.close());

const now = () => new Date(app.clock.now());
const auditRows = async () => {
  const columns = 'event, user_id as "user", session, details, at';
  return (await app.database.pool.query(`select ${columns} from auth_audit_event order by at, event`)).rows;
};

/** The id of the user with this address. */
const userOf = async (email: string): Promise<string> =>
  (await app.database.pool.query('select id from app_user where email = $1', [email])).rows[0].id;

async function replay(client: TestClient) {
  const thief = client.copy();
  await client.refresh();
  app.clock.advance(11);
  return thief.refresh();
}

describe.each([false, true])('the events of an app whose audit log is %s', (auditLog) => {
  beforeEach(() => start({ auditLog, loginRateLimit: '1/1h/account', sessionLifetime: '1h', maxSessionsPerUser: 3 }));

  /** Expects exactly these events, in this order, and with the audit log a row for each recorded one. */
  async function expectEvents(expected: EmittedEvent[], onlyEmitted: readonly EmittedEvent[] = []): Promise<void> {
    expect(emitted).toEqual(expected);
    const written = auditLog ? expected.filter((each) => !onlyEmitted.includes(each)) : [];
    const rows = written.map(([event, { at, ...rest }]) => {
      const { user = null, session = null, ...details } = rest as { user?: string; session?: string };
      return { event, user, session, details: JSON.parse(JSON.stringify(details)), at };
    });
    const order = (a: { at: Date; event: string }, b: { at: Date; event: string }) =>
      a.at.getTime() - b.at.getTime() || (a.event < b.event ? -1 : 1);
    expect(await auditRows()).toEqual(rows.sort(order));
  }

  test('report a sign-up, a refresh and a logout', async () => {
    const client = await app.signedUp('ada@example.com');
    const who = { user: await userOf('ada@example.com'), at: now() };
    const session = sessionOf(client);
    await client.refresh();
    await client.logout();
    await client.logout();
    await expectEvents([
      ['user.registered', { ...who, method: 'password' }],
      ['session.opened', { ...who, session, ip: '127.0.0.1' }],
      ['session.refreshed', { ...who, session }],
      ['session.revoked', { ...who, session, reason: 'logout' }],
    ]);
  });

  test('report a theft once, after the end of its session, and later uses by their own kind', async () => {
    const { id: user, client } = await createOwner(app);
    const opened = now();
    const session = sessionOf(client);
    expectProblem(await replay(client), 401, 'refresh_token_reused');
    expectProblem(await client.refresh(), 401, 'token_not_valid');
    const after: EmittedEvent = ['session.reuse-detected', { user, session, reuse: 'revoked-session', at: now() }];
    await expectEvents(
      [
        ['session.opened', { user, session, at: opened }],
        ['session.refreshed', { user, session, at: opened }],
        ['session.revoked', { user, session, reason: 'replay', at: now() }],
        ['session.reuse-detected', { user, session, reuse: 'replay', at: now() }],
        after,
      ],
      [after],
    );
  });

  test('report a lost response, which is not recorded', async () => {
    const { id: user, client } = await createOwner(app);
    const session = sessionOf(client);
    const tab = client.copy();
    await client.refresh();
    expect((await tab.refresh()).status).toBe(200);
    const lost: EmittedEvent = ['session.reuse-detected', { user, session, reuse: 'lost-response', at: now() }];
    const who = { user, session, at: now() };
    await expectEvents([['session.opened', who], ['session.refreshed', who], lost], [lost]);
  });

  test('report refused passwords, with the account if there is one, and without the input', async () => {
    await app.signedUp('ada@example.com');
    const user = await userOf('ada@example.com');
    emitted.length = 0;
    await app.database.pool.query('delete from auth_audit_event');
    expect((await app.client().login('nobody@example.com', 'a wrong sentence')).status).toBe(401);
    expect((await app.client().login('ada@example.com', 'a wrong sentence')).status).toBe(401);
    expect((await app.client().login('ada@example.com', 'a wrong sentence')).status).toBe(429);
    const failed = (code: string, user?: string): EmittedEvent => [
      'login.failed',
      { code, user, ip: '127.0.0.1', at: now() },
    ];
    const limited = failed('too_many_requests', user);
    const wrong = failed('incorrect_credentials', user);
    expect(emitted).toEqual([failed('incorrect_credentials'), wrong, limited]);
    const rows = await auditRows();
    expect(rows.map(({ user }) => user).sort()).toEqual(auditLog ? [user, null].sort() : []);
    expect(JSON.stringify([rows, emitted])).not.toMatch(/@example|sentence/);
  });

  test('report a password change, a wrong old password, a deactivation and the login after it', async () => {
    const client = await app.signedUp('ada@example.com');
    const user = await userOf('ada@example.com');
    const first = sessionOf(client);
    emitted.length = 0;
    await app.database.pool.query('delete from auth_audit_event');
    await client.changePassword(PASSWORD, 'another sentence, as long');
    const second = sessionOf(client);
    await app.auth.deactivation.deactivate(user);
    expectProblem(await app.client().login('ada@example.com', 'another sentence, as long'), 401, 'no_active_account');
    const at = now();
    const ip = '127.0.0.1';
    expect(emitted).toEqual([
      ['session.revoked', { user, session: first, reason: 'password-change', at }],
      ['password.changed', { user, at }],
      ['session.opened', { user, session: second, ip, at }],
      ['session.revoked', { user, session: second, reason: 'deactivation', at }],
      ['user.deactivated', { user, at }],
      ['login.failed', { code: 'no_active_account', user, ip, at }],
    ]);
    const written = emitted.map(([name]) => name).filter((name) => name !== 'login.failed'); // these are not rate-limited
    expect((await auditRows()).map(({ event }) => event)).toEqual(auditLog ? written.sort() : []);
  });

  test.each<[reason: string, end: (user: string, first: TestClient, second: TestClient) => Promise<unknown>]>([
    ['logout-all', (_user, first) => first.logoutAll()],
    [
      'revoked',
      (_user, first, second) => first.send('DELETE', `/auth/sessions/${sessionOf(second)}`, '', first.bearer),
    ],
    ['revoke-others', (_user, first) => first.send('POST', '/auth/sessions/revoke-others', undefined, first.bearer)],
    ['app', (user) => app.auth.sessions.revokeAll(user)],
    [
      'session-lifetime',
      async (_user, first, second) => {
        app.clock.advance(3600);
        for (const client of [first, second]) expectProblem(await client.refresh(), 401, 'session_expired');
      },
    ],
  ])('report each of the sessions that end by %s', async (reason, end) => {
    const { id: user, client, another } = await createOwner(app);
    const second = await another();
    emitted.length = 0;
    await end(user, client, second);
    const both = [sessionOf(client), sessionOf(second)];
    const ended = ['revoked', 'revoke-others'].includes(reason) ? both.slice(1) : both;
    const events = ended.map((session) => ['session.revoked', { user, session, reason, at: now() }]);
    expect(emitted).toHaveLength(events.length);
    expect(emitted).toEqual(expect.arrayContaining(events));
    const rows = (await auditRows()).filter(({ event }) => event === 'session.revoked');
    expect(rows.map(({ session }) => session).sort()).toEqual(auditLog ? ended.sort() : []);
  });

  test('report a session that was ended to make room for another', async () => {
    const { id: user, client, another } = await createOwner(app);
    for (let n = 0; n < 3; n++) {
      app.clock.advance(1);
      emitted.length = 0;
      await another();
    }
    const [went, opened] = [emitted[0], emitted[1]];
    expect(went).toEqual(['session.revoked', { user, session: sessionOf(client), reason: 'session-cap', at: now() }]);
    expect([opened?.[0], emitted.length]).toEqual(['session.opened', 2]);
  });

  test('are not emitted for a transaction that was rolled back', async () => {
    await app.signedUp('ada@example.com');
    emitted.length = 0;
    expect((await app.client().register('ada@example.com')).status).toBe(409);
    expect(emitted).toEqual([]);
    expect((await auditRows()).filter(({ event }) => event === 'user.registered')).toHaveLength(auditLog ? 1 : 0);
  });
});

describe.each([false, true])('a sign-up that fails at its last step, with an audit log: %s', (auditLog) => {
  test('is neither emitted nor recorded', async () => {
    class FailingToken extends RefreshToken {
      static override async forUser(): Promise<never> {
        throw new Error('no token for you');
      }
    }
    await start({ auditLog, refreshToken: FailingToken });
    expectProblem(await app.client().register('ada@example.com'), 500, 'internal_error');
    expect(emitted).toEqual([]);
    expect(await auditRows()).toEqual([]);
    expect((await app.database.pool.query('select 1 from app_user')).rows).toEqual([]);
  });
});

describe('an audit log that cannot be written', () => {
  beforeEach(async () => {
    await start({ auditLog: true });
  });

  const lock = () => app.database.pool.query('alter table auth_audit_event rename to auth_audit_event_away');
  const unlock = () => app.database.pool.query('alter table auth_audit_event_away rename to auth_audit_event');

  test('prevents everything that it should record: no sign-in, no refresh, no logout', async () => {
    const client = await app.signedUp('ada@example.com');
    await lock();
    emitted.length = 0;
    for (const answer of [await app.client().login('ada@example.com'), await client.refresh(), await client.logout()]) {
      expectProblem(answer, 500, 'internal_error');
    }
    expect(emitted).toEqual([]);
    expect(await app.liveSessions()).toBe(1);
    await unlock();
    expect((await client.refresh()).status).toBe(200);
  });

  test('does not keep a stolen session alive', async () => {
    const { client, live } = await createOwner(app);
    const thief = client.copy();
    await client.refresh();
    app.clock.advance(11);
    await lock();
    expectProblem(await thief.refresh(), 500, 'internal_error');
    expect(await live()).toBe(0);
    expect(emitted.slice(-2)).toMatchObject([
      ['session.reuse-detected', { reuse: 'replay' }],
      ['session.revoked', { session: sessionOf(client), reason: 'replay' }],
    ]);
    await unlock();
    expectProblem(await client.refresh(), 401, 'token_not_valid');
  });
});

describe('listeners', () => {
  beforeEach(() => start());

  test('that throw, reject, or never end do not break a request, and a log line reports it', async () => {
    app.auth.events.on('session.opened', () => {
      throw new Error(`a listener failed with ${PASSWORD}`);
    });
    app.auth.events.on('session.opened', async () => Promise.reject(new TypeError('later')));
    app.auth.events.on('session.opened', () => new Promise(() => {}));
    const client = await app.signedUp('ada@example.com');
    expect((await client.refresh()).status).toBe(200);
    expect(emitted.map(([name]) => name)).toContain('session.opened');
    expect(app.log).toMatchObject([
      { level: 'error', message: 'event listener failed', event: 'session.opened', error: 'Error' },
      { level: 'error', message: 'event listener failed', event: 'session.opened', error: 'TypeError' },
    ]);
  });

  test('that are removed receive nothing more', async () => {
    let received = 0;
    const off = app.auth.events.on('session.opened', () => {
      received++;
    });
    await createOwner(app);
    off();
    await createOwner(app);
    expect(received).toBe(1);
  });
});

describe('the log', () => {
  test('contains the reason of every 401 and no token', async () => {
    await start();
    const { client } = await createOwner(app);
    const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
    const [header, claims] = client.access.split('.');
    const ask = (token: string) => client.send('GET', '/auth/user', undefined, bearer(token));
    await app.client().get('/auth/user');
    await ask('no token at all');
    await ask(`${header}.${claims}.${'A'.repeat(43)}`);
    const foreign = Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'at+jwt', kid: 'unknown' })).toString('base64url');
    await ask(`${foreign}.${claims}.${'A'.repeat(43)}`);
    await client.logout();
    await client.get('/auth/sessions');
    await client.refresh();
    await app.client().login('nobody@example.com');
    app.clock.advance(1801);
    await ask(client.access);
    expect(app.refusals.map(({ code, reason }) => reason ?? code)).toEqual([
      'not_authenticated',
      'malformed',
      'wrong-signature',
      'unknown-key',
      'session-ended',
      'revoked-session',
      'incorrect_credentials',
      'expired',
    ]);
  });

  test('can be a pino logger, without an adapter', async () => {
    const lines: string[] = [];
    const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
    await start({}, { auth: { logger } });
    await app.client().get('/auth/user');
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({
      level: 30,
      code: 'not_authenticated',
      msg: 'request refused',
    });
  });
});
