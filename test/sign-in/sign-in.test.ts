import { JsonController, Param, Post } from 'routing-controllers';
import { Service } from 'typedi';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  createAuthEntities,
  JwtAllauthError,
  RefreshToken,
  type SignInAttempt,
  SignInService,
  secondFactorRequired,
  UserCreationService,
} from '../../src/index.js';
import type { AuthModule } from '../../src/module-kit.js';
import { expectProblem } from '../support/expect-problem.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { claimsOf, createOwner } from '../support/race.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { type Answer, PASSWORD } from '../support/test-client.js';
import { AppUser, Organization } from '../support/users.js';

const OTHER = 'another sentence of some length';
/** The effect of a change of a factor. */
const RAISE_EPOCH = 'update auth_account set credential_epoch = credential_epoch + 1 where user_id = $1';
const CHALLENGE = { challenge: 'an opaque string', methods: ['totp', 'recovery_code'], expires_in: 300 };

/** The behaviour of a module's gate, and the arguments that it received. */
let gate: (attempt: SignInAttempt) => unknown = () => undefined;
const asked: SignInAttempt[] = [];

/** The sign-in service with a gate, as a module adds it. */
class GatedSignIn extends SignInService {
  constructor(kernel: ConstructorParameters<typeof SignInService>[0]) {
    super(kernel);
    this.addGate({
      check: async (attempt) => {
        asked.push(attempt);
        await gate(attempt);
      },
    });
  }
}

const challenge = () => {
  throw secondFactorRequired(CHALLENGE);
};
const refuse = () => {
  throw new JwtAllauthError('not_today', { status: 403, detail: 'Nobody comes in today.' });
};
beforeEach(() => {
  gate = () => undefined;
  asked.length = 0;
});

/** Asserts the whole answer of a challenge: nothing in it signs anybody in. */
function expectChallenge(answer: Answer): void {
  expect(answer.body).toEqual({
    type: 'about:blank',
    title: 'Unauthorized',
    status: 401,
    code: 'second_factor_required',
    detail: expect.any(String),
    ...CHALLENGE,
  });
  expect(answer.status).toBe(401);
  expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(answer.cookie).toBeUndefined();
}

describe.each([RefreshToken, undefined])('signing in with a gate, with the token class %o', (refreshToken) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ settings: refreshToken && { refreshToken }, auth: { services: [GatedSignIn] } });
  });
  afterAll(() => app.close());

  const email = () => `${crypto.randomUUID()}@example.com`;
  const sessions = async () => (await app.sessions()).length;
  const userBy = async (address: string) =>
    (await app.database.pool.query('select * from app_user where email = $1', [address])).rows[0];

  test('calls the gate for each way to sign in, with the user and the proved factors', async () => {
    const address = email();
    const client = await app.signedUp(address);
    const { id } = await userBy(address);
    await client.login(address);
    await client.changePassword(PASSWORD, OTHER);
    await app.auth.signIn({ id }, { method: 'ticket', claims: { tenant: 'acme' } });
    const user = { id, email: address, isActive: true };
    expect(asked).toMatchObject([
      { user, amr: ['pwd'] },
      { user, amr: ['pwd'] },
      { user, amr: ['pwd'], caller: { sub: id, amr: ['pwd'] } },
      { user, amr: ['ticket'], claims: { tenant: 'acme' } },
    ]);
    expect(await client.refresh()).toMatchObject({ status: 200 });
    expect(asked).toHaveLength(4); // a refresh opens no session
  });

  test('answers a sign-in with a challenge, and opens no session', async () => {
    const address = email();
    await app.signedUp(address);
    const before = await sessions();
    gate = challenge;
    expectChallenge(await app.client().login(address));
    expect(await sessions()).toBe(before);
    expectProblem(await app.client().login(address, 'a wrong sentence of some length'), 401, 'incorrect_credentials');
    expect(asked).toHaveLength(2); // the sign-up, and the correct password
  });

  test('answers a sign-up with a challenge, and still stores the user', async () => {
    const address = email();
    gate = challenge;
    const before = await sessions();
    expectChallenge(await app.client().register(address));
    expect(await userBy(address)).toMatchObject({ is_active: true });
    expect(await sessions()).toBe(before);
    gate = () => undefined;
    expect((await app.client().login(address)).status).toBe(200);
  });

  test('answers a password change with a challenge, and still changes the password', async () => {
    const address = email();
    const client = await app.signedUp(address);
    gate = challenge;
    expectChallenge(await client.changePassword(PASSWORD, OTHER));
    expectProblem(await client.refresh(), 401, 'token_not_valid');
    gate = () => undefined;
    expectProblem(await client.login(address), 401, 'incorrect_credentials');
    expect((await client.login(address, OTHER)).status).toBe(200);
  });

  test('keeps the proved factors at a password change; a password alone does not renew a second factor', async () => {
    const address = email();
    await app.signedUp(address);
    const { id } = await userBy(address);
    const openedAt = Math.floor(app.clock.now() / 1000);
    const sessionBy = async (amr: string[]) => {
      const { access, refresh } = await app.auth.sessions.open({ id }, { amr });
      return Object.assign(app.client(), { access, refreshToken: refresh });
    };
    const [mailed, twofold] = [await sessionBy(['mail']), await sessionBy(['pwd', 'otp', 'mfa'])];
    app.clock.advance(600);
    expect((await twofold.changePassword(PASSWORD, OTHER)).status).toBe(200);
    expect(claimsOf(twofold.access)).toMatchObject({ amr: ['pwd', 'otp', 'mfa'], auth_time: openedAt });
    expectProblem(await mailed.refresh(), 401, 'token_not_valid');
    const again = await sessionBy(['mail']);
    app.clock.advance(600);
    expect((await again.changePassword(OTHER, PASSWORD)).status).toBe(200);
    expect(claimsOf(again.access)).toMatchObject({ amr: ['mail', 'pwd'], auth_time: openedAt + 1200 });
  });

  test('returns a refusal unchanged, and the refused request has no effect', async () => {
    const address = email();
    const client = await app.signedUp(address);
    const before = await sessions();
    gate = refuse;
    expectProblem(await app.client().login(address), 403, 'not_today');
    expectProblem(await client.changePassword(PASSWORD, OTHER), 403, 'not_today');
    const other = email();
    expectProblem(await app.client().register(other), 403, 'not_today');
    expect(await userBy(other)).toBeUndefined();
    expect(await sessions()).toBe(before);
    gate = () => undefined;
    expect((await client.refresh()).status).toBe(200);
    expect((await client.login(address)).status).toBe(200);
  });

  test('calls no gate for an inactive user, and reports the inactivity only after the correct password', async () => {
    const address = email();
    await app.signedUp(address);
    await app.auth.deactivation.deactivate((await userBy(address)).id);
    asked.length = 0;
    expectProblem(await app.client().login(address), 401, 'no_active_account');
    expectProblem(await app.client().login(address, OTHER), 401, 'incorrect_credentials');
    expect(asked).toEqual([]);
  });

  const overtakers: [what: string, overtake: (id: string) => Promise<unknown>][] = [
    ['a deactivation', (id) => app.auth.deactivation.deactivate(id)],
    [
      'a deactivation by SQL',
      (id) => app.database.pool.query('update app_user set is_active = false where id = $1', [id]),
    ],
    ['a change of credentials', (id) => app.database.pool.query(RAISE_EPOCH, [id])],
    [
      'another password',
      (id) => app.database.pool.query(`update app_user set password_hash = 'x' where id = $1`, [id]),
    ],
    ['a deletion', (id) => app.database.pool.query('delete from app_user where id = $1', [id])],
  ];
  test.each(overtakers)('opens no session for a sign-in if %s happens while a gate runs', async (what, overtake) => {
    const address = email();
    await app.signedUp(address);
    const { id } = await userBy(address);
    gate = () => overtake(id);
    expectProblem(await app.client().login(address), 401, 'incorrect_credentials');
    const { rowCount } = await app.database.pool.query('select 1 from auth_session where user_id = $1', [id]);
    expect(rowCount).toBe(what === 'a deletion' ? 0 : 1); // that of the sign-up
    expect(asked).toHaveLength(2);
  });

  test('binds the claims of a sign-in by the app to its session', async () => {
    const { id } = await createOwner(app);
    const how = { method: ['ticket', 'hwk'], claims: { tenant: 'acme' } };
    const { access, refresh } = await app.auth.signIn({ id }, how);
    const client = Object.assign(app.client(), { access, refreshToken: refresh });
    expect((await client.refresh()).status).toBe(200);
    for (const token of [access, refresh, client.access, client.refreshToken])
      expect(claimsOf(token)).toMatchObject({ amr: ['ticket', 'hwk'], tenant: 'acme' });
  });

  test('does not let the app claim a second factor that no module has checked', async () => {
    const { id, live } = await createOwner(app);
    const claimed = app.auth.signIn({ id }, { method: ['ticket', 'mfa'] });
    await expect(claimed).rejects.toThrow('the method mfa comes from the second factors of modules only');
    expect(await live()).toBe(1);
  });

  test('throws a challenge, a refusal and no_active_account to the app, without a session', async () => {
    const { id, live } = await createOwner(app);
    const signIn = () => app.auth.signIn({ id }, { method: 'ticket' });
    gate = challenge;
    await expect(signIn()).rejects.toMatchObject({ code: 'second_factor_required', httpCode: 401 });
    gate = refuse;
    await expect(signIn()).rejects.toMatchObject({ code: 'not_today' });
    gate = () => undefined;
    const reserved = app.auth.signIn({ id }, { method: 'ticket', claims: { sub: 'x' } });
    await expect(reserved).rejects.toMatchObject({ code: 'reserved_claim' });
    const unknown = app.auth.signIn({ id: crypto.randomUUID() }, { method: 'ticket' });
    await expect(unknown).rejects.toMatchObject({ code: 'no_active_account' });
    expect(await live()).toBe(1);
    await app.auth.deactivation.deactivate(id);
    await expect(signIn()).rejects.toMatchObject({ code: 'no_active_account' });
    expect(await live()).toBe(0);
  });

  test('signs in within the transaction of the app, or not at all', async () => {
    const { id, live } = await createOwner(app);
    const em = app.orm.em.fork();
    const rolledBack = em.transactional(async (own) => {
      await app.auth.signIn({ id }, { method: 'ticket', em: own });
      throw new Error('the app has changed its mind');
    });
    await expect(rolledBack).rejects.toThrow('the app has changed its mind');
    expect(await live()).toBe(1);
    await em.transactional((own) => app.auth.signIn({ id }, { method: 'ticket', em: own }));
    expect(await live()).toBe(2);
  });
});

test('each gate of a module is called, in the order of the modules, until one refuses', async () => {
  const order: string[] = [];
  const module = (name: string): AuthModule => ({
    name,
    create: () => ({
      gates: [
        {
          check: async (attempt) => {
            order.push(`${name} ${attempt.user.email}`);
            if (name === 'second') await gate(attempt);
          },
        },
      ],
    }),
  });
  const modules = ['first', 'second', 'third'].map(module);
  const entities = [AppUser, Organization, ...createAuthEntities({ user: () => AppUser, modules })];
  const app = await createTestApp({ orm: { entities } });
  expect((await app.client().register('ada@example.com')).status).toBe(201);
  expect(order.splice(0)).toEqual(['first ada@example.com', 'second ada@example.com', 'third ada@example.com']);
  gate = challenge;
  expectChallenge(await app.client().login('ada@example.com'));
  expect(order).toEqual(['first ada@example.com', 'second ada@example.com']);
  expect(await app.liveSessions()).toBe(1);
  await app.close();
});

test('a route of the app signs in with a ticket, or answers with the challenge, which is not cached', async () => {
  let app: TestApp;
  @Service()
  @JsonController('/tickets')
  class TicketController {
    @Post('/:user')
    async signIn(@Param('user') id: string) {
      const { access, refresh } = await app.auth.signIn({ id }, { method: 'ticket', claims: { desk: 7 } });
      return { access, refresh };
    }
  }
  app = await createTestApp({
    controllers: [TicketController],
    settings: { refreshTokenAsCookie: false },
    auth: { services: [GatedSignIn] },
  });
  const { id } = await createOwner(app);
  const signIn = () => app.client().send('POST', `/tickets/${id}`);
  const { body } = await signIn();
  const client = Object.assign(app.client(), { refreshToken: body.refresh });
  expect((await client.refresh()).status).toBe(200);
  expect(claimsOf(client.access)).toMatchObject({ sub: id, amr: ['ticket'], desk: 7 });
  gate = challenge;
  expectChallenge(await signIn());
  await app.close();
});

test('a user who is created inactive is refused before any gate of a module, and not stored', async () => {
  class Inactive extends UserCreationService {
    protected override createUser(...made: Parameters<UserCreationService['createUser']>) {
      return Object.assign(super.createUser(...made), { isActive: false });
    }
  }
  const app = await createTestApp({ auth: { services: [GatedSignIn, Inactive] } });
  gate = challenge;
  expectProblem(await app.client().register('ada@example.com'), 401, 'no_active_account');
  expect(asked).toEqual([]);
  expect((await app.database.pool.query('select 1 from app_user')).rowCount).toBe(0);
  await app.close();
});

test('without the old password a password change proves nothing', async () => {
  const settings = { oldPasswordFieldEnabled: false };
  const app = await createTestApp({ settings, auth: { services: [GatedSignIn] } });
  const client = await app.signedUp();
  const { sub, auth_time } = claimsOf(client.access);
  const { access, refresh } = await app.auth.signIn({ id: sub }, { method: 'ticket' });
  Object.assign(client, { access, refreshToken: refresh });
  app.clock.advance(600);
  const answer = await client.send('POST', '/auth/password/change', { newPassword: OTHER }, client.bearer);
  expect(claimsOf(answer.body.access)).toMatchObject({ amr: ['ticket'], auth_time });
  await app.close();
});

describe('signing in with a gate in an app that confirms addresses', () => {
  let app: MailApp;
  beforeAll(async () => {
    const settings = { emailVerification: 'mandatory', sessionOnEmailVerification: true, invitations: true } as const;
    app = await createMailApp(settings, { auth: { services: [GatedSignIn] } });
  });
  afterAll(() => app.close());

  const email = () => `${crypto.randomUUID()}@example.com`;
  const sessionsOf = async (address: string) => {
    const sql = 'select s.* from auth_session s join app_user u on u.id = s.user_id where u.email = $1 and s.enabled';
    return (await app.database.pool.query(sql, [address])).rows.length;
  };
  const markOf = (answer: Answer) => answer.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  /** Signs up and opens the link in the same browser. */
  const confirm = async (address: string) => {
    const cookie = markOf(await app.client().register(address));
    return app.open(await app.linkTo(address), { headers: { cookie } });
  };
  const set = (path: string, cookie: string) => app.client().send('POST', path, { newPassword: OTHER }, { cookie });
  /** Requests a reset, opens its link, and returns the cookie of the form. */
  const resetOf = async (address: string, count: number) => {
    await app.client().send('POST', '/auth/password/reset', { email: address });
    const { cookies } = await app.open(await app.linkTo(address, count));
    return [...cookies.values()][0]?.split(';')[0] ?? '';
  };
  const RESET = '/auth/password/reset/set-new';

  test('refuses an unconfirmed address before any gate is called, never with a challenge', async () => {
    const address = email();
    await confirm(address);
    await app.database.pool.query('update app_user set email_verified = false where email = $1', [address]);
    const before = await sessionsOf(address);
    gate = challenge;
    asked.length = 0;
    expectProblem(await app.client().login(address), 401, 'email_not_verified');
    const { rows } = await app.database.pool.query('select id from app_user where email = $1', [address]);
    await expect(app.auth.signIn(rows[0], { method: 'ticket' })).rejects.toMatchObject({ code: 'email_not_verified' });
    expect([asked, await sessionsOf(address)]).toEqual([[], before]);
  });

  test('lets a signed-in user with an unconfirmed address change the password', async () => {
    const address = email();
    await confirm(address);
    const client = app.client();
    await client.login(address);
    await app.database.pool.query('update app_user set email_verified = false where email = $1', [address]);
    expect((await client.changePassword(PASSWORD, OTHER)).status).toBe(200);
  });

  test.each([challenge, refuse])('confirms an address even if no session is opened: %o', async (decision) => {
    const address = email();
    gate = decision;
    const page = await confirm(address);
    expect([page.status, page.cookies.has('refresh_token')]).toEqual([200, false]);
    expect(asked).toMatchObject([{ user: { email: address, emailVerified: true }, amr: ['mail'] }]);
    expect(await sessionsOf(address)).toBe(0);
    gate = () => undefined;
    expect((await app.client().login(address)).status).toBe(200);
  });

  test('answers a password set by mail with a challenge: the password is set, and the link is used up', async () => {
    const address = email();
    await confirm(address);
    const cookie = await resetOf(address, 2);
    gate = challenge;
    const answer = await set(RESET, cookie);
    expect(answer.body).toMatchObject({ code: 'second_factor_required', ...CHALLENGE });
    expect(answer.headers.getSetCookie().join()).not.toContain('refresh_token');
    expect(await sessionsOf(address)).toBe(0);
    gate = () => undefined;
    expectProblem(await set(RESET, cookie), 401, 'token_not_valid');
    expect((await app.client().login(address, OTHER)).status).toBe(200);
  });

  test('says on the page after a password set by mail that the second factor follows', async () => {
    const address = email();
    await confirm(address);
    const cookie = await resetOf(address, 2);
    const body = new URLSearchParams({ newPassword: OTHER });
    const submit = () => app.open(`${app.url}/auth/password/reset/form`, { method: 'POST', body, headers: { cookie } });
    gate = challenge;
    const page = await submit();
    expect([page.status, page.cookies.has('refresh_token')]).toEqual([200, false]);
    expect(page.html).toContain('Your password is set');
    expect(page.html).toContain('second factor');
    gate = () => undefined;
    expect((await submit()).status).toBe(400);
    expect((await app.client().login(address, OTHER)).status).toBe(200);
  });

  test('refuses a password set by mail as a whole: the link stays valid', async () => {
    const address = email();
    await confirm(address);
    const cookie = await resetOf(address, 2);
    gate = refuse;
    expectProblem(await set(RESET, cookie), 403, 'not_today');
    gate = () => undefined;
    expect((await app.client().login(address)).status).toBe(200);
    expect((await set(RESET, cookie)).status).toBe(200);
  });

  test('calls the gate when an invitation is accepted, and answers with its challenge', async () => {
    const staff = app.client();
    const [inviter, guest] = [email(), email()];
    await confirm(inviter);
    await app.database.pool.query('update app_user set role = 1000 where email = $1', [inviter]);
    await staff.login(inviter);
    const invitation = { email: guest, role: 0 };
    expect((await staff.send('POST', '/auth/registration/user-register', invitation, staff.bearer)).status).toBe(201);
    const { cookies } = await app.open(await app.linkTo(guest));
    const cookie = [...cookies.values()][0]?.split(';')[0] ?? '';
    asked.length = 0;
    gate = challenge;
    expect((await set('/auth/registration/set-password', cookie)).body).toMatchObject(CHALLENGE);
    expect(asked).toMatchObject([{ user: { email: guest }, amr: ['mail', 'pwd'] }]);
    expect(await sessionsOf(guest)).toBe(0);
    gate = () => undefined;
    expect((await app.client().login(guest, OTHER)).status).toBe(200);
  });
});
