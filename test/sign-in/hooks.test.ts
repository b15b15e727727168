import { hash } from '@node-rs/argon2';
import { HttpError } from 'routing-controllers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type AuthHooks,
  JwtAllauthError,
  type RefreshHook,
  RefreshToken,
  type SignInHook,
  type SignUpHook,
} from '../../src/index.js';
import { expectProblem } from '../support/expect-problem.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { claimsOf, createOwner, type Owner, sessionOf } from '../support/race.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { type Answer, PASSWORD, type TestClient } from '../support/test-client.js';

/** The effect of a change of a factor. */
const RAISE_EPOCH = 'update auth_account set credential_epoch = credential_epoch + 1 where user_id = $1';
const OTHER = 'another sentence of some length';

/** The behaviour of each hook, and the arguments that it received. */
const does: { -readonly [name in keyof AuthHooks]: () => unknown } = {};
const seen = { signUp: [] as SignUpHook[], signIn: [] as SignInHook[], refresh: [] as RefreshHook[] };
const hooks: AuthHooks = {
  beforeSignUp: async (signUp) => {
    seen.signUp.push(signUp);
    await does.beforeSignUp?.();
  },
  beforeSignIn: async (signIn) => {
    seen.signIn.push(signIn);
    await does.beforeSignIn?.();
  },
  beforeRefresh: async (refresh) => {
    seen.refresh.push(refresh);
    await does.beforeRefresh?.();
  },
};

const refuse = () => {
  throw new JwtAllauthError('not_today', { status: 403, detail: 'Nobody comes in today.' });
};
/** Runs some work once, at the next call of a hook. */
const once = (work: () => unknown) => {
  let isDone = false;
  return async () => {
    if (!isDone) {
      isDone = true;
      await work();
    }
  };
};
beforeEach(() => {
  for (const name of Object.keys(does) as (keyof AuthHooks)[]) delete does[name];
  for (const list of Object.values(seen)) list.length = 0;
});

const email = () => `${crypto.randomUUID()}@example.com`;

describe.each([
  ['one pool for all', RefreshToken, {}],
  ['one connection, and tokens of the app', undefined, { driverOptions: { max: 1, connectionTimeoutMillis: 1000 } }],
])('the hooks of an app with %s', (_what, refreshToken, orm) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ settings: refreshToken && { refreshToken }, auth: { hooks }, orm });
  });
  afterAll(() => app.close());

  const query = (sql: string, ...values: unknown[]) => app.database.pool.query(sql, values);
  const userBy = async (address: string) => (await query('select * from app_user where email = $1', address)).rows[0];
  /** The state that a refused request must not change. */
  const everything = async () => {
    const users = await query('select id, email, password_hash, is_active from app_user order by id');
    return [users.rows, await app.sessions()];
  };
  const client = () => ({
    ip: expect.stringMatching(/127\.0\.0\.1$/),
    userAgent: expect.any(String),
    host: new URL(app.url).host,
  });

  test('receive the user at a sign-up and a sign-in, and the client, and never a password', async () => {
    const address = email();
    await app.client().register(address.toUpperCase(), PASSWORD, { firstName: 'Ada', lastName: 'Lovelace' });
    const person = { email: address, firstName: 'Ada', lastName: 'Lovelace' };
    expect(seen.signUp).toEqual([{ user: person, client: client() }]);
    expect(seen.signIn).toMatchObject([{ user: { ...person, isActive: true }, amr: ['pwd'], client: client() }]);
    await app.client().login(address);
    expect(seen.signIn[1]).toMatchObject({ user: { ...person, id: (await userBy(address)).id }, amr: ['pwd'] });
    expect(seen.signIn[1]?.client).toEqual(client());
    for (const { user } of seen.signIn) expect(user.passwordHash).toBeUndefined();
    expect(JSON.stringify(seen)).not.toContain(PASSWORD);
    expect([seen.signUp.length, seen.refresh.length]).toEqual([1, 0]);
  });

  test('receive the session that is refreshed, with its bound claims', async () => {
    const { id } = await createOwner(app);
    const { refresh } = await app.auth.signIn({ id }, { method: 'ticket', claims: { tenant: 'acme' } });
    expect(seen.signIn).toMatchObject([{ user: { id }, amr: ['ticket'], client: undefined }]);
    const session = { amr: ['ticket'], authTime: Math.floor(app.clock.now() / 1000), claims: { tenant: 'acme' } };
    app.clock.advance(100);
    const tab = Object.assign(app.client(), { refreshToken: refresh });
    expect((await tab.refresh()).status).toBe(200);
    const asked = { user: { id }, session: { id: sessionOf(tab), ...session }, client: client() };
    expect(seen.refresh).toMatchObject([asked]);
  });

  test('refuse with their own error, before anything is written', async () => {
    const address = email();
    const known = await app.signedUp(address);
    const before = await everything();
    does.beforeSignUp = refuse;
    expectProblem(await app.client().register(email()), 403, 'not_today');
    delete does.beforeSignUp;
    does.beforeSignIn = refuse;
    does.beforeRefresh = refuse;
    expectProblem(await app.client().register(email()), 403, 'not_today');
    expectProblem(await app.client().login(address), 403, 'not_today');
    expectProblem(await known.changePassword(PASSWORD, OTHER), 403, 'not_today');
    expectProblem(await known.refresh(), 403, 'not_today');
    const { id } = await userBy(address);
    await expect(app.auth.signIn({ id }, { method: 'ticket' })).rejects.toMatchObject({ code: 'not_today' });
    expect(await everything()).toEqual(before);
    delete does.beforeRefresh;
    expect((await known.refresh()).status).toBe(200);
  });

  test('that fail cause a 500, and nothing is written either', async () => {
    const address = email();
    const known = await app.signedUp(address);
    const before = await everything();
    const fail = () => {
      throw new Error('the service of the app is away');
    };
    Object.assign(does, { beforeSignUp: fail, beforeSignIn: fail, beforeRefresh: fail });
    for (const answer of [await app.client().register(email()), await app.client().login(address)])
      expectProblem(answer, 500, 'internal_error');
    expectProblem(await known.refresh(), 500, 'internal_error');
    expect(await everything()).toEqual(before);
  });

  test('are called before a hash with outdated parameters is renewed', async () => {
    const address = email();
    await app.signedUp(address);
    const outdated = await hash(PASSWORD, { memoryCost: 128, timeCost: 1, parallelism: 1 });
    await query('update app_user set password_hash = $1 where email = $2', outdated, address);
    does.beforeSignIn = refuse;
    expectProblem(await app.client().login(address), 403, 'not_today');
    expect((await userBy(address)).password_hash).toBe(outdated);
    delete does.beforeSignIn;
    expect((await app.client().login(address)).status).toBe(200);
    expect((await userBy(address)).password_hash).not.toBe(outdated);
  });

  test('are called only with a correct proof', async () => {
    const address = email();
    await app.signedUp(address);
    seen.signIn.length = 0;
    await app.client().login(address, OTHER);
    await app.client().login(email());
    await app.auth.deactivation.deactivate((await userBy(address)).id);
    expectProblem(await app.client().login(address), 401, 'no_active_account');
    expect(seen.signIn).toEqual([]);
  });

  test('hold no connection and no row while they run', async () => {
    const address = email();
    const known = await app.signedUp(address);
    const { id } = await userBy(address);
    const touch = async () => {
      await app.orm.em.fork().execute('select 1 from app_user');
      await query('update app_user set first_name = first_name where id = $1', id);
      await query('update auth_session set device = null where user_id = $1', id);
    };
    Object.assign(does, { beforeSignUp: touch, beforeSignIn: touch, beforeRefresh: touch });
    expect((await app.client().register(email())).status).toBe(201);
    expect((await app.client().login(address)).status).toBe(200);
    expect((await known.refresh()).status).toBe(200);
    expect((await known.changePassword(PASSWORD, OTHER)).status).toBe(200);
  });

  test('are not called for a retry after a lost answer, nor for a replay', async () => {
    const { client: tab, live } = await createOwner(app);
    const [retry, thief] = [tab.copy(), tab.copy()];
    app.clock.advance(100);
    expect((await tab.refresh()).status).toBe(200);
    expect((await retry.refresh()).status).toBe(200);
    expect(retry.refreshToken).toBe(tab.refreshToken);
    expect(seen.refresh).toHaveLength(1);
    app.clock.advance(100);
    does.beforeRefresh = refuse;
    expectProblem(await thief.refresh(), 401, 'refresh_token_reused');
    expectProblem(await tab.refresh(), 401, 'token_not_valid');
    expect([seen.refresh.length, await live()]).toEqual([1, 0]);
  });

  test('of parallel refreshes let each request have the same successor', async () => {
    const { client: tab, live } = await createOwner(app);
    const tabs = Array.from({ length: 6 }, () => tab.copy());
    app.clock.advance(100);
    const answers = await Promise.all(tabs.map((each) => each.refresh()));
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(200));
    expect(new Set(tabs.map(({ refreshToken }) => refreshToken)).size).toBe(1);
    expect(await live()).toBe(1);
  });

  test('can change the user, and the refresh has the new values', async () => {
    const { id, client: tab } = await createOwner(app);
    does.beforeRefresh = () => query('update app_user set role = 7 where id = $1', id);
    expect((await tab.refresh()).status).toBe(200);
    expect(claimsOf(tab.access).role).toBe(7);
  });

  describe('while one runs at a refresh', () => {
    let owner: Owner;
    beforeEach(async () => {
      owner = await createOwner(app);
    });
    const endings: [what: string, end: () => Promise<unknown>][] = [
      ['a sign-out', () => owner.client.copy().logout()],
      ['the revocation of all', () => app.auth.sessions.revokeAll(owner.id)],
      ['a deactivation', () => app.auth.deactivation.deactivate(owner.id)],
      ['a deactivation by SQL', () => query('update app_user set is_active = false where id = $1', owner.id)],
      ['a deletion', () => query('delete from app_user where id = $1', owner.id)],
      ['its expiry', async () => app.clock.advance('14d')],
    ];
    test.each(endings)('%s takes precedence: no tokens, and the session stays ended', async (_what, end) => {
      does.beforeRefresh = once(end);
      const answer = await owner.client.refresh();
      expectProblem(answer, 401, 'token_not_valid');
      expect(answer.headers.getSetCookie()).toEqual([]);
      expect(await owner.live()).toBe(0);
    });

    test('another refresh gets the same successor, and that is no theft', async () => {
      const events = app.events.length;
      const tab = owner.client.copy();
      does.beforeRefresh = once(async () => expect((await tab.refresh()).status).toBe(200));
      expect((await owner.client.refresh()).status).toBe(200);
      expect(owner.client.refreshToken).toBe(tab.refreshToken);
      expect(app.events.slice(events).map(({ reuse }) => reuse)).toEqual(['lost-response']);
    });
  });

  describe('while one runs at a sign-in', () => {
    let address: string;
    let known: TestClient;
    let id: string;
    beforeEach(async () => {
      address = email();
      known = await app.signedUp(address);
      id = (await userBy(address)).id;
    });
    const live = async () => {
      const sql = 'select count(*)::int as live from auth_session where user_id = $1 and enabled';
      return (await query(sql, id)).rows[0].live;
    };

    test('a change of credentials takes precedence over a sign-in by the app', async () => {
      does.beforeSignIn = once(() => query(RAISE_EPOCH, id));
      const signIn = app.auth.signIn({ id }, { method: 'ticket' });
      await expect(signIn).rejects.toMatchObject({ code: 'incorrect_credentials' });
      expect(await live()).toBe(1);
    });

    test.each([
      ['a deactivation', () => app.auth.deactivation.deactivate(id), 0],
      ['a deactivation by SQL', () => query('update app_user set is_active = false where id = $1', id), 1],
      ['a password change', () => known.changePassword(PASSWORD, OTHER), 1],
      ['a deletion', () => query('delete from app_user where id = $1', id), 0],
      ['a change of credentials', () => query(RAISE_EPOCH, id), 1],
    ] as const)('%s takes precedence: no session is opened', async (_what, end, left) => {
      does.beforeSignIn = once(end);
      expectProblem(await app.client().login(address), 401, 'incorrect_credentials');
      expect(await live()).toBe(left);
    });

    test.each([
      ['a sign-out', () => known.copy().logout(), 'token_not_valid'],
      ['the revocation of all', () => app.auth.sessions.revokeAll(id), 'token_not_valid'],
      ['a deactivation', () => app.auth.deactivation.deactivate(id), 'incorrect_credentials'],
      ['another password change', () => known.copy().changePassword(PASSWORD, OTHER), 'incorrect_credentials'],
    ] as const)('%s takes precedence over a password change: nothing is changed', async (_what, end, code) => {
      let hash: string | undefined;
      does.beforeSignIn = once(async () => {
        await end();
        hash = (await userBy(address)).password_hash;
      });
      expectProblem(await known.changePassword(PASSWORD, 'a third sentence of some length'), 401, code);
      expect((await userBy(address)).password_hash).toBe(hash);
    });
  });
});

describe('the hooks of an app that confirms addresses', () => {
  let app: MailApp;
  beforeAll(async () => {
    const settings = { emailVerification: 'mandatory', sessionOnEmailVerification: true } as const;
    app = await createMailApp(settings, { auth: { hooks } });
  });
  afterAll(() => app.close());

  const markOf = (answer: Answer) => answer.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  const confirm = async (address: string, cookie: string) =>
    app.open(await app.linkTo(address), { headers: { cookie } });
  const count = async (sql: string, ...values: unknown[]) => (await app.database.pool.query(sql, values)).rowCount;

  test('run before a sign-up is stored, whether or not the address is taken, and a refused sign-up counts no mail', async () => {
    const [taken, free] = [email(), email()];
    const cookie = markOf(await app.client().register(taken));
    await confirm(taken, cookie);
    does.beforeSignUp = refuse;
    seen.signUp.length = 0;
    const mails = app.sink.mails.length;
    const [first, second] = [await app.client().register(taken), await app.client().register(free)];
    expectProblem(first, 403, 'not_today');
    expect(second.body).toEqual(first.body);
    expect(seen.signUp).toMatchObject([{ user: { email: taken } }, { user: { email: free } }]);
    expect(await count('select 1 from auth_pending_sign_up where email = any($1)', [taken, free])).toBe(0);
    expect(app.sink.mails.length).toBe(mails);
  });

  test.each([
    ['jwt-allauth', refuse],
    ['routing-controllers', () => Promise.reject(new HttpError(403, 'Nobody comes in today.'))],
    ['http-errors', () => Promise.reject(Object.assign(new Error('Nobody'), { status: 403, expose: true }))],
  ])(
    'are called for a session that a confirmed address opens; an error of %s leaves the address confirmed',
    async (_, refuses) => {
      const address = email();
      const cookie = markOf(await app.client().register(address));
      expect([seen.signUp.length, seen.signIn.length]).toEqual([1, 0]);
      does.beforeSignIn = refuses;
      const page = await confirm(address, cookie);
      expect([page.status, page.cookies.has('refresh_token')]).toEqual([200, false]);
      expect(seen.signIn).toMatchObject([{ user: { email: address, emailVerified: true }, amr: ['mail'] }]);
      expect(await count('select 1 from app_user where email = $1 and email_verified', address)).toBe(1);
      expect(seen.signUp).toHaveLength(1);
    },
  );

  test('are called before a password is set by mail: after a refusal the link stays valid', async () => {
    const address = email();
    await confirm(address, markOf(await app.client().register(address)));
    await app.client().send('POST', '/auth/password/reset', { email: address });
    const { cookies } = await app.open(await app.linkTo(address, 2));
    const cookie = [...cookies.values()][0]?.split(';')[0] ?? '';
    const set = () => app.client().send('POST', '/auth/password/reset/set-new', { newPassword: OTHER }, { cookie });
    does.beforeSignIn = refuse;
    expectProblem(await set(), 403, 'not_today');
    const { rows } = await app.database.pool.query('select id from app_user where email = $1', [address]);
    does.beforeSignIn = once(() => app.auth.sessions.revokeAll(rows[0].id));
    expect((await set()).status).toBe(200);
    expect((await app.client().login(address, OTHER)).status).toBe(200);
  });

  test('that refuse a form with 401 are shown on a page, and the link stays valid', async () => {
    const address = email();
    await confirm(address, markOf(await app.client().register(address)));
    await app.client().send('POST', '/auth/password/reset', { email: address });
    const { cookies } = await app.open(await app.linkTo(address, 2));
    const cookie = [...cookies.values()][0]?.split(';')[0] ?? '';
    const body = new URLSearchParams({ newPassword: OTHER });
    const submit = () => app.open(`${app.url}/auth/password/reset/form`, { method: 'POST', body, headers: { cookie } });
    does.beforeSignIn = () => {
      throw new JwtAllauthError('not_yet', { status: 401, detail: 'Your account waits for its approval.' });
    };
    const page = await submit();
    expect([page.status, page.html]).toEqual([401, expect.stringContaining('Your account waits for its approval.')]);
    expect(page.html).toContain('Nothing was changed.');
    delete does.beforeSignIn;
    expect((await submit()).status).toBe(200);
    expect((await app.client().login(address, OTHER)).status).toBe(200);
  });

  test('a deactivation takes precedence over a password set by mail while one runs', async () => {
    const address = email();
    await confirm(address, markOf(await app.client().register(address)));
    await app.client().send('POST', '/auth/password/reset', { email: address });
    const { cookies } = await app.open(await app.linkTo(address, 2));
    const cookie = [...cookies.values()][0]?.split(';')[0] ?? '';
    const { rows } = await app.database.pool.query('select id, password_hash from app_user where email = $1', [
      address,
    ]);
    does.beforeSignIn = once(() => app.auth.deactivation.deactivate(rows[0].id));
    const answer = await app.client().send('POST', '/auth/password/reset/set-new', { newPassword: OTHER }, { cookie });
    expectProblem(answer, 401, 'token_not_valid');
    const sql = 'select 1 from app_user where id = $1 and password_hash = $2';
    expect(await count(sql, rows[0].id, rows[0].password_hash)).toBe(1);
    expect(await count('select 1 from auth_session where user_id = $1 and enabled', rows[0].id)).toBe(0);
  });
});
