import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem } from '../../support/expect-problem.js';
import { createOwner, sessionOf } from '../../support/race.js';
import { createTestApp, type TestApp, type TestAppOptions } from '../../support/test-app.js';
import { PASSWORD, type TestClient } from '../../support/test-client.js';

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0';
const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1';
const NOWHERE = '00000000-0000-4000-8000-000000000000';

const agent = (userAgent: string) => ({ 'user-agent': userAgent });

/** Trusts one proxy, so that a test can choose the client's address. */
const proxied: TestAppOptions = { express: 5, configure: (app) => app.set('trust proxy', 1) };

/** The minute of an instant, which is the precision of the times of sessions. */
const minuteOf = (milliseconds: number) => new Date(Math.floor(milliseconds / 60_000) * 60_000).toISOString();

async function devices(app: TestApp) {
  const { rows } = await app.database.pool.query(
    'select ip, browser, os, device from auth_session order by created_at',
  );
  return rows;
}

async function refreshFrom(client: TestClient, headers: Record<string, string>): Promise<number> {
  const answer = await client.send('POST', '/auth/refresh', undefined, { ...client.cookieHeader, ...headers });
  Object.assign(client, { access: answer.body.access, refreshToken: answer.cookie?.value });
  return answer.status;
}

let app: TestApp;

describe('with COLLECT_USER_AGENT', () => {
  beforeAll(async () => {
    app = await createTestApp({ ...proxied, settings: { collectUserAgent: true } });
  });
  afterAll(() => app.close());
  afterEach(() => app.database.pool.query('delete from app_user'));

  test('a session shows the address and the client that opened it, and a refresh updates both', async () => {
    const client = app.client();
    await app.signedUp('ada@example.com');
    await app.database.pool.query('delete from auth_session');
    await client.login('ada@example.com', PASSWORD, { ...agent(FIREFOX), 'x-forwarded-for': '192.0.2.7' });
    const opened = { ip: '192.0.2.7', browser: 'Firefox 128.0', os: 'Linux', device: 'desktop' };
    expect(await devices(app)).toEqual([opened]);
    const createdAt = new Date(app.clock.now()).toISOString();
    app.clock.advance(60);
    const phone = { ...agent(IPHONE), 'x-forwarded-for': '::ffff:198.51.100.9' };
    expect(await refreshFrom(client, phone)).toBe(200);
    const renewed = { ip: '198.51.100.9', browser: 'Safari 17.5', os: 'iOS 17.5', device: 'Apple iPhone' };
    expect(await devices(app)).toEqual([renewed]);
    const rotatedAt = app.clock.now();
    app.clock.advance(11); // the grace is over, so the rotation is shown
    const answer = await client.get('/auth/sessions');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.body).toEqual([
      {
        id: sessionOf(client),
        current: true,
        createdAt,
        lastUsedAt: minuteOf(rotatedAt) < createdAt ? createdAt : minuteOf(rotatedAt),
        expiresAt: minuteOf(rotatedAt + 14 * 86_400_000),
        ...renewed,
      },
    ]);
  });

  test('sign-up and password change record the client as well', async () => {
    const client = app.client();
    const body = { email: 'ada@example.com', password: PASSWORD };
    const { body: tokens } = await client.send('POST', '/auth/registration', body, agent(FIREFOX));
    const next = { oldPassword: PASSWORD, newPassword: 'another sentence, as long' };
    const bearer = { authorization: `Bearer ${tokens.access}` };
    await client.send('POST', '/auth/password/change', next, { ...bearer, ...agent(IPHONE) });
    expect(await devices(app)).toMatchObject([{ browser: 'Firefox 128.0' }, { device: 'Apple iPhone' }]);
  });

  test.each([
    ['nothing', ''],
    ['a script', 'Mozilla/5.0 <script>alert(1)</script> Chrome/<img src=x onerror=alert(1)>'],
    ['a name of its own that is an image', '<img src=x onerror=a>/1.0 (x)'],
    ['quotes and SQL', `Chrome/1'); drop table auth_session; --" Firefox/"'\``],
    ['a formula', '=HYPERLINK("http://evil.example") Firefox/99'],
    ['60,000 characters', `Mozilla/5.0 (${'Linux; Android 14; '.repeat(400)}) Chrome/${'9'.repeat(7000)}`],
    ['a name that is too long', `Mozilla/5.0 (Linux; Android 14; ${'M'.repeat(300)}) Chrome/120.0`],
  ])('a client that sends %s is stored as a few harmless words, and can sign in', async (_what, userAgent) => {
    const client = await app.signedUp('ada@example.com');
    const { status } = await client.login('ada@example.com', PASSWORD, agent(userAgent));
    expect(status).toBe(200);
    const { body } = await client.get('/auth/sessions');
    for (const { browser, os, device } of body) {
      for (const word of [browser, os, device]) expect(word ?? '').toMatch(/^[\p{L}\p{N} .,_()+-]{0,64}$/u);
    }
  });
});

describe('without COLLECT_USER_AGENT', () => {
  test('nothing about the client is stored, and a refresh removes older data', async () => {
    app = await createTestApp(proxied);
    const client = await app.signedUp('ada@example.com');
    await client.login('ada@example.com', PASSWORD, { ...agent(FIREFOX), 'x-forwarded-for': '192.0.2.7' });
    const nothing = { ip: null, browser: null, os: null, device: null };
    expect(await devices(app)).toEqual([nothing, nothing]);
    await app.database.pool.query(`update auth_session set ip = '192.0.2.7', browser = 'Firefox'`);
    await refreshFrom(client, agent(FIREFOX));
    expect(await devices(app)).toContainEqual(nothing);
    const { body } = await client.get('/auth/sessions');
    expect(body.filter(({ current }: { current: boolean }) => current)).toMatchObject([nothing]);
    await app.close();
  });
});

describe('the sessions of a user', () => {
  beforeAll(async () => {
    app = await createTestApp();
  });
  afterAll(() => app.close());

  test('are listed only for their owner, the one used last first, without ended ones', async () => {
    const { client: first, another } = await createOwner(app);
    await createOwner(app);
    app.clock.advance(1);
    const second = await another();
    app.clock.advance(1);
    const ended = await another();
    await ended.logout();
    await first.refresh();
    app.clock.advance(11); // the grace is over, so the rotation is shown
    const { body } = await first.get('/auth/sessions');
    expect(body.map(({ id, current }: { id: string; current: boolean }) => [id, current])).toEqual([
      [sessionOf(first), true],
      [sessionOf(second), false],
    ]);
    expectProblem(await ended.get('/auth/sessions'), 401, 'token_not_valid');
    expectProblem(await app.client().get('/auth/sessions'), 401, 'not_authenticated');
  });

  test('are listed up to 200, those used last; a session outside the list can still request it', async () => {
    const { id, client } = await createOwner(app);
    await app.database.pool.query(
      `insert into auth_session (id, user_id, jti, rotated_at, enabled, created_at, expires_at)
       select gen_random_uuid(), $1, gen_random_uuid(), $2::timestamptz + make_interval(secs => n), true, $2, $3
       from generate_series(1, 250) n`,
      [id, new Date(app.clock.now()), new Date(app.clock.now() + 86_400_000)],
    );
    const { status, body } = await client.get('/auth/sessions');
    expect([status, body.length]).toEqual([200, 200]);
    expect(body.every(({ current }: { current: boolean }) => !current)).toBe(true);
    const latest = minuteOf(app.clock.now() + 250_000);
    expect([body[0].lastUsedAt, body[199].lastUsedAt < latest]).toEqual([latest, true]);
    await client.logout();
    expectProblem(await client.get('/auth/sessions'), 401, 'token_not_valid');
  });

  test('can be ended one by one by their owner, and an ended one cannot be ended again', async () => {
    const { client, another, live } = await createOwner(app);
    const other = await another();
    const end = () => client.send('DELETE', `/auth/sessions/${sessionOf(other)}`, undefined, client.bearer);
    const answer = await end();
    expect([answer.status, answer.body, answer.headers.get('cache-control')]).toEqual([204, '', 'no-store']);
    expect(await live()).toBe(1);
    expectProblem(await other.refresh(), 401, 'token_not_valid');
    expectProblem(await end(), 404, 'session_not_found');
    expect((await client.refresh()).status).toBe(200);
  });

  test('can end themselves', async () => {
    const { client, live } = await createOwner(app);
    const path = `/auth/sessions/${sessionOf(client)}`;
    expect((await client.send('DELETE', path, undefined, client.bearer)).status).toBe(204);
    expect(await live()).toBe(0);
    expectProblem(await client.send('DELETE', path, undefined, client.bearer), 401, 'token_not_valid');
  });

  test.each([
    ['the session of another user', async () => sessionOf((await createOwner(app)).client)],
    ['an unknown session', async () => NOWHERE],
    ['a text that is no id', async () => "1' or true --"],
  ])('%s is not found, and no session ends', async (_what, id) => {
    const { client } = await createOwner(app);
    const other = await id();
    const before = await app.liveSessions();
    const path = `/auth/sessions/${encodeURIComponent(other)}`;
    expectProblem(await client.send('DELETE', path, undefined, client.bearer), 404, 'session_not_found');
    expect(await app.liveSessions()).toBe(before);
  });

  test('except the current one can be ended in one request; those of other users stay', async () => {
    const { client, another, live } = await createOwner(app);
    const others = [await another(), await another()];
    const stranger = await createOwner(app);
    const answer = await client.send('POST', '/auth/sessions/revoke-others', undefined, client.bearer);
    expect([answer.status, answer.body]).toEqual([204, '']);
    expect([await live(), await stranger.live()]).toEqual([1, 1]);
    for (const other of others) expectProblem(await other.refresh(), 401, 'token_not_valid');
    expect((await client.refresh()).status).toBe(200);
  });

  test.each([
    ['DELETE', (victim: TestClient) => `/auth/sessions/${sessionOf(victim)}`],
    ['POST', () => '/auth/sessions/revoke-others'],
    ['POST', () => '/auth/logout-all'],
  ])('cannot be ended by the access token of an ended session (%s %s)', async (method, path) => {
    const { client: thief, another, live } = await createOwner(app);
    const victim = await another();
    await thief.logout();
    expectProblem(await thief.send(method, path(victim), undefined, thief.bearer), 401, 'token_not_valid');
    expect(await live()).toBe(1);
    expect((await victim.refresh()).status).toBe(200);
  });
});

describe('with MAX_SESSIONS_PER_USER', () => {
  beforeAll(async () => {
    app = await createTestApp({ settings: { maxSessionsPerUser: 3 } });
  });
  afterAll(() => app.close());

  test('the least recently used session is ended, and no other', async () => {
    const { client: first, another, live } = await createOwner(app);
    const stranger = await createOwner(app);
    app.clock.advance(1);
    const second = await another();
    app.clock.advance(1);
    const third = await another();
    app.clock.advance(1);
    await first.refresh(); // now the second is the oldest
    app.clock.advance(1);
    const fourth = await another();
    expect([await live(), await stranger.live()]).toEqual([3, 1]);
    expectProblem(await second.refresh(), 401, 'token_not_valid');
    for (const kept of [first, third, fourth]) expect((await kept.refresh()).status).toBe(200);
  });

  test('holds under parallel logins, 20 times, and the older session is ended', async () => {
    for (let round = 0; round < 20; round++) {
      const owner = await createOwner(app);
      app.clock.advance(1);
      const clients = await Promise.all(Array.from({ length: 10 }, () => owner.another()));
      expect(await owner.live()).toBe(3);
      expectProblem(await owner.client.refresh(), 401, 'token_not_valid');
      const statuses = await Promise.all(clients.map(async (client) => (await client.refresh()).status));
      expect(statuses.filter((status) => status === 200)).toHaveLength(3);
    }
  });

  test('counts neither ended nor expired sessions', async () => {
    const { client, another, live } = await createOwner(app);
    for (let n = 0; n < 5; n++) await (await another()).logout();
    expect(await live()).toBe(1);
    app.clock.advance(15 * 86_400);
    await another();
    expect(await live()).toBe(1);
    expectProblem(await client.refresh(), 401, 'token_not_valid');
  });
});
