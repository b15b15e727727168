import { afterEach, describe, expect, test } from 'vitest';
import { LogoutService, type SessionRevoked, type SettingsInput } from '../../src/index.js';
import { CookieJar } from '../support/cookie-jar.js';
import { expectProblem } from '../support/expect-problem.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { createOwner, race, sessionOf } from '../support/race.js';
import type { TestAppOptions } from '../support/test-app.js';
import { type Answer, PASSWORD } from '../support/test-client.js';

const NEW = 'another sentence, as long';

let app: MailApp;
let ended: Pick<SessionRevoked, 'session' | 'reason'>[];
afterEach(() => app.close());

async function start(settings: SettingsInput = {}, options: TestAppOptions = {}): Promise<void> {
  app = await createMailApp(settings, options);
  ended = [];
  app.auth.events.on('session.revoked', ({ session, reason }) => ended.push({ session, reason }));
}

/** A browser that keeps its cookies. */
function browser() {
  const jar = new CookieJar();
  const post = async (path: string, body?: object, headers = {}): Promise<Answer> => {
    const answer = await app.client().send('POST', path, body, { ...jar.headerFor(path), ...headers });
    jar.take(answer.headers);
    return answer;
  };
  const token = () => jar.all.find(({ name }) => name === 'refresh_token')?.value ?? '';
  const session = () => sessionOf(Object.assign(app.client(), { refreshToken: token() }));
  return { jar, post, token, session };
}

const credentials = (email = 'ada@example.com', password = PASSWORD) => ({ email, password });

describe('a signed-in browser that signs in again', () => {
  test('has one session after five sign-ins, and copies of its older cookies do not work', async () => {
    await start();
    const ada = browser();
    await ada.post('/auth/registration', credentials());
    const copies: [token: string, session: string][] = [];
    for (let times = 0; times < 5; times++) {
      copies.push([ada.token(), ada.session()]);
      expect((await ada.post('/auth/login', credentials())).status).toBe(200);
    }
    expect(await app.liveSessions()).toBe(1);
    expect(ended).toEqual(copies.map(([, session]) => ({ session, reason: 'superseded' })));
    for (const [refreshToken] of copies) {
      expectProblem(await Object.assign(app.client(), { refreshToken }).refresh(), 401, 'token_not_valid');
    }
    expect((await ada.post('/auth/refresh')).status).toBe(200);
  });

  test('at MAX_SESSIONS_PER_USER ends no session of another device, because the replaced one makes room', async () => {
    await start({ maxSessionsPerUser: 2 });
    const phone = await app.signedUp('ada@example.com');
    app.clock.advance(1);
    const laptop = browser();
    await laptop.post('/auth/login', credentials());
    for (let times = 0; times < 3; times++) {
      app.clock.advance(1);
      const session = laptop.session();
      expect((await laptop.post('/auth/login', credentials())).status).toBe(200);
      expect(ended).toEqual([{ session, reason: 'superseded' }]);
      ended.length = 0;
    }
    expect(await app.liveSessions()).toBe(2);
    app.clock.advance(1);
    expect((await phone.refresh()).status).toBe(200);
    await app.client().login('ada@example.com'); // a third device
    expect(ended).toEqual([{ session: laptop.session(), reason: 'session-cap' }]);
  });

  test('at MAX_SESSIONS_PER_USER gets no room from a cookie of another user', async () => {
    await start({ maxSessionsPerUser: 1 });
    const [grace, ada] = [await app.signedUp('grace@example.com'), await app.signedUp('ada@example.com')];
    expect((await app.client().login('ada@example.com', PASSWORD, grace.cookieHeader)).status).toBe(200);
    expect(ended).toEqual([
      { session: sessionOf(ada), reason: 'session-cap' },
      { session: sessionOf(grace), reason: 'superseded' },
    ]);
  });

  test('ends its session of another user, and no other session of that user', async () => {
    await start();
    const elsewhere = await app.signedUp('grace@example.com');
    await app.signedUp('ada@example.com');
    const shared = browser();
    await shared.post('/auth/login', credentials('grace@example.com'));
    const session = shared.session();
    expect((await shared.post('/auth/login', credentials())).status).toBe(200);
    expect(ended).toEqual([{ session, reason: 'superseded' }]);
    expect((await elsewhere.refresh()).status).toBe(200);
  });

  /** Each way to get a new cookie, for a browser that is signed in as Grace. */
  const ways: [way: string, settings: SettingsInput, go: (grace: ReturnType<typeof browser>) => Promise<number>][] = [
    ['a sign-up', {}, async ({ post }) => (await post('/auth/registration', credentials('new@example.com'))).status],
    ['a sign-in', {}, async ({ post }) => (await post('/auth/login', credentials())).status],
    [
      'a change of the password',
      {},
      async ({ post }) => {
        const ada = app.client();
        await ada.login('ada@example.com');
        const passwords = { oldPassword: PASSWORD, newPassword: NEW };
        return (await post('/auth/password/change', passwords, ada.bearer)).status;
      },
    ],
    [
      'a reset of the password',
      {},
      async ({ post, jar }) => {
        await app.client().send('POST', '/auth/password/reset', { email: 'ada@example.com' });
        jar.take((await app.open(await app.linkTo('ada@example.com'))).headers);
        return (await post('/auth/password/reset/set-new', { newPassword: NEW })).status;
      },
    ],
    [
      "the library's form of a reset",
      {},
      async ({ jar }) => {
        await app.client().send('POST', '/auth/password/reset', { email: 'ada@example.com' });
        jar.take((await app.open(await app.linkTo('ada@example.com'))).headers);
        const path = '/auth/password/reset/form';
        const body = new URLSearchParams({ newPassword: NEW });
        const page = await app.open(`${app.url}${path}`, { method: 'POST', body, headers: jar.headerFor(path) });
        jar.take(page.headers);
        return page.status;
      },
    ],
    [
      'the link of a confirmation',
      { emailVerification: 'mandatory', sessionOnEmailVerification: true },
      async ({ post, jar }) => {
        await post('/auth/registration', credentials('new@example.com'));
        const link = await app.linkTo('new@example.com');
        const page = await app.open(link, { headers: jar.headerFor(new URL(link).pathname) });
        jar.take(page.headers);
        return page.status;
      },
    ],
  ];
  test.each(ways)('ends its old session by %s', async (_way, settings, go) => {
    await start(settings);
    const { client, live } = await createOwner(app);
    if (settings.emailVerification === undefined) await app.signedUp('ada@example.com');
    const grace = browser();
    grace.jar.set(`refresh_token=${client.refreshToken}; Path=/`);
    expect(await go(grace)).toBeLessThan(300);
    expect(grace.session()).not.toBe(sessionOf(client));
    expect(ended).toContainEqual({ session: sessionOf(client), reason: 'superseded' });
    expect(ended.filter(({ reason }) => reason === 'superseded')).toHaveLength(1);
    expect(await live()).toBe(0);
    expect((await grace.post('/auth/refresh')).status).toBe(200);
  });

  test('keeps its session if the sign-in fails, comes from a foreign origin, or opens no session', async () => {
    await start();
    const grace = await app.signedUp('grace@example.com');
    const post = (path: string, body: object, headers = {}) =>
      app.client().send('POST', path, body, { ...grace.cookieHeader, ...headers });
    const answers = [
      await post('/auth/login', credentials('ada@example.com', 'not her password')),
      await post('/auth/login', credentials('grace@example.com'), { origin: 'https://evil.example' }),
      await post('/auth/registration', credentials('grace@example.com')),
      await post('/auth/password/reset', { email: 'grace@example.com' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([401, 403, 409, 202]);
    expect(ended).toEqual([]);
    expect((await grace.refresh()).status).toBe(200);
  });
});

describe('a cookie that is sent with a sign-in', () => {
  test('ends nothing if it is forged, expired, or belongs to an ended session or another app', async () => {
    await start();
    const [grace, gone] = [await app.signedUp('grace@example.com'), await app.signedUp()];
    await gone.logout();
    ended.length = 0;
    const forged = `${grace.refreshToken.slice(0, -4)}AAAA`;
    const cookie = [forged, gone.refreshToken, 'garbage'].map((token) => `refresh_token=${token}`).join('; ');
    expect((await app.client().login('grace@example.com', PASSWORD, { cookie })).status).toBe(200);
    app.clock.advance('14d');
    const expired = grace.cookieHeader;
    expect((await app.client().login('grace@example.com', PASSWORD, expired)).status).toBe(200);
    expect(ended).toEqual([]);
  });

  test('leaves no live session if it is refreshed at the same moment', async () => {
    await start();
    await app.signedUp('ada@example.com');
    const { client, live } = await createOwner(app);
    const tab = client.copy();
    const [refreshed, login] = await race(
      app,
      { table: 'auth_session', id: sessionOf(client) },
      () => tab.refresh(),
      () => app.client().login('ada@example.com', PASSWORD, client.cookieHeader),
    );
    expect([refreshed.status, login.status]).toEqual([200, 200]);
    expect(await live()).toBe(0);
    expectProblem(await tab.refresh(), 401, 'token_not_valid');
  });

  test('does not break the sign-in if its session cannot be ended', async () => {
    class BrokenLogout extends LogoutService {
      override async supersede(): Promise<never> {
        throw new TypeError('a text of some length that is not for the log');
      }
    }
    await start({}, { auth: { services: [BrokenLogout] } });
    const grace = await app.signedUp('grace@example.com');
    const answer = await app.client().login('grace@example.com', PASSWORD, grace.cookieHeader);
    expect([answer.status, Object.keys(answer.body), answer.headers.getSetCookie().length]).toEqual([
      200,
      ['access'],
      1,
    ]);
    expect(app.log).toEqual([
      { level: 'warn', message: 'the session of a replaced refresh cookie was not revoked', error: 'TypeError' },
    ]);
  });

  test('is ignored in body mode', async () => {
    await start({ refreshTokenAsCookie: false });
    const grace = await app.signedUp('grace@example.com');
    const cookie = `refresh_token=${grace.refreshToken}`;
    expect((await app.client().login('grace@example.com', PASSWORD, { cookie })).status).toBe(200);
    expect(ended).toEqual([]);
    expect(await app.liveSessions()).toBe(2);
  });
});
