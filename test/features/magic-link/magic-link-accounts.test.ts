import { afterEach, describe, expect, test } from 'vitest';
import { JwtAllauthError, type SettingsInput } from '../../../src/index.js';
import { expectProblem } from '../../support/expect-problem.js';
import { createMagicLinkApp, type MagicLinkApp, mailedTo } from '../../support/magic-link-app.js';
import { createPerson } from '../../support/person.js';
import { claimsOf } from '../../support/race.js';
import { PASSWORD } from '../../support/test-client.js';
import { enrol } from '../../support/totp-app.js';

const ADA = 'ada@example.com';

let app: MagicLinkApp;
afterEach(() => app.close());

const users = async () =>
  (await app.database.pool.query('select id, email, email_verified, password_hash, role from app_user order by email'))
    .rows;
const signInByCode = async (email = ADA) => {
  const { request, code } = await app.mailed(email);
  return app.verify({ request, code });
};
const events = async () =>
  (await app.database.pool.query('select event, details from auth_audit_event order by id')).rows.map(
    ({ event, details }) => [event, details],
  );

describe('an address that was never confirmed', () => {
  test('is taken back from the stranger who signed up with it: password, sessions, second factor and links', async () => {
    app = await createMagicLinkApp({ emailVerification: 'optional', auditLog: true });
    const stranger = await app.signedUp(ADA);
    const verification = await app.linkTo(ADA);
    await enrol(app, stranger);
    await app.client().send('POST', '/auth/password/reset', { email: ADA });
    const reset = await app.linkTo(ADA, 3);

    const answer = await signInByCode();

    const user = claimsOf(stranger.access).sub;
    expect([answer.status, claimsOf(answer.body.access)]).toMatchObject([200, { sub: user, amr: ['mail'] }]);
    expect(await users()).toMatchObject([{ id: user, email_verified: true, password_hash: null }]);
    expect((await stranger.refresh()).status).toBe(401);
    expectProblem(await app.client().login(ADA, PASSWORD), 401, 'incorrect_credentials');
    for (const link of [verification, reset]) expect((await app.open(link)).status).toBe(400);
    const { rows } = await app.database.pool.query('select second_factors from auth_account');
    expect([rows, await app.liveSessions()]).toEqual([[{ second_factors: [] }], 1]);
    expect((await events()).map(([event]) => event)).toEqual(
      expect.arrayContaining(['mfa.disabled', 'email.verified', 'session.opened']),
    );
  });

  test('keeps its password, its sessions and its second factor once it is confirmed', async () => {
    app = await createMagicLinkApp({ emailVerification: 'optional' });
    const owner = await app.signedUp(ADA);
    await app.open(await app.linkTo(ADA));
    await enrol(app, owner);
    await app.mailsTo(ADA, 2);
    expect((await signInByCode()).body.code).toBe('second_factor_required');
    expect((await owner.refresh()).status).toBe(200);
    expect((await app.client().login(ADA, PASSWORD)).body.code).toBe('second_factor_required');
  });

  test('needs no confirmation link any more, and one mailed before a sign-in does not bring the password back', async () => {
    app = await createMagicLinkApp({ emailVerification: 'optional' });
    await app.signedUp(ADA);
    const verification = await app.linkTo(ADA);
    expect((await signInByCode()).status).toBe(200);
    expect((await app.open(verification)).status).toBe(400);
    expectProblem(await app.client().login(ADA, PASSWORD), 401, 'incorrect_credentials');
  });
});

describe('under EMAIL_VERIFICATION=none', () => {
  test('nothing is taken back, because every address counts as confirmed, and the log warns of it', async () => {
    app = await createMagicLinkApp({ emailVerification: 'none' });
    const stranger = await app.signedUp(ADA);
    expect((await signInByCode()).status).toBe(200);
    expect((await stranger.refresh()).status).toBe(200);
    expect(app.log).toContainEqual({
      level: 'warn',
      message: 'a sign-in by mail does not take an account back from a stranger: every address counts as confirmed',
      set: 'emailVerification=optional',
    });
  });

  test('the log of an app that confirms addresses has no such warning', async () => {
    app = await createMagicLinkApp({ emailVerification: 'optional' });
    expect(app.log.filter(({ message }) => message.includes('sign-in by mail'))).toEqual([]);
  });
});

describe('a mailed link and its code', () => {
  const cases: [string, (id: string) => Promise<unknown>][] = [
    ['a password reset', async () => reset()],
    [
      'a password change',
      async () => {
        const client = app.client();
        await client.login(ADA);
        return client.changePassword(PASSWORD, 'another sentence of some length');
      },
    ],
    ['a change of the address', (id) => sql('update app_user set email = $2 where id = $1', [id, 'new@example.com'])],
    [
      'another user has the address',
      async (id) => {
        await sql('update app_user set email = $2 where id = $1', [id, 'new@example.com']);
        await createPerson(app, { email: ADA });
      },
    ],
    ['a deactivation', (id) => app.auth.deactivation.deactivate(id)],
    ['the deletion of the account', (id) => sql('delete from app_user where id = $1', [id])],
    [
      'a second factor',
      async (id) => {
        const { access } = await app.auth.sessions.open({ id });
        return enrol(app, Object.assign(app.client(), { access }));
      },
    ],
  ];
  const sql = (text: string, values: unknown[]) => app.database.pool.query(text, values);
  async function reset() {
    await app.client().send('POST', '/auth/password/reset', { email: ADA });
    const opened = await app.open(await app.linkTo(ADA, 2));
    const cookie = opened.cookies.get('password_reset_access_token')?.split(';')[0] ?? '';
    const body = { newPassword: 'another sentence of some length' };
    return app.client().send('POST', '/auth/password/reset/set-new', body, { cookie });
  }

  test.each(cases)('are void after this event: %s', async (_what, change) => {
    app = await createMagicLinkApp();
    const { id } = await createPerson(app, { email: ADA });
    const { request, code, link } = await app.mailed(ADA);
    const cookie = await app.cookieOf(link);
    await change(id);
    const before = await app.liveSessions();
    expectProblem(await app.signIn(cookie), 401, 'token_not_valid');
    expectProblem(await app.verify({ request, code }), 401, 'code_not_valid');
    expect(await app.liveSessions()).toBe(before);
  });

  test('stay valid after a password change of another user', async () => {
    app = await createMagicLinkApp();
    await createPerson(app, { email: ADA });
    const { request, code } = await app.mailed(ADA);
    const other = await app.signedUp();
    await other.changePassword(PASSWORD, 'another sentence of some length');
    expect((await app.verify({ request, code })).status).toBe(200);
  });
});

describe('an unknown address', () => {
  test.each<[string, SettingsInput, string[]]>([
    ['a notice where people may sign up', {}, ['You have no account at accounts.test']],
    ['nothing where only invitations create users', { adminManagedRegistration: true, invitations: true }, []],
    [
      'nothing there either if magic links may sign up',
      { adminManagedRegistration: true, invitations: true, magicLinkSignUp: true },
      [],
    ],
  ])('gets %s, and no account', async (_what, settings, subjects) => {
    app = await createMagicLinkApp(settings);
    const { status, body } = await app.ask(ADA);
    expect([status, Object.keys(body)]).toEqual([202, ['request']]);
    await app.settled();
    expect(app.sink.mails.map(({ subject }) => subject)).toEqual(subjects);
    expect(app.sink.mails.map(({ text }) => /http|\d{6}/.test(text ?? ''))).toEqual(subjects.map(() => false));
    expect(await users()).toEqual([]);
  });

  test.each(['code', 'link'] as const)(
    'gets an account without a password by a %s, with MAGIC_LINK_SIGN_UP',
    async (by) => {
      app = await createMagicLinkApp({ magicLinkSignUp: true, auditLog: true, emailVerification: 'mandatory' });
      const { request, code, link } = await app.mailed(ADA);
      expect([await users(), app.sink.mails[0]?.subject]).toEqual([[], 'Create your account at accounts.test']);
      const answer = by === 'code' ? await app.verify({ request, code }) : await app.signIn(await app.cookieOf(link));
      expect(answer.status).toBe(200);
      const [user, ...others] = await users();
      expect([user, others]).toMatchObject([{ email: ADA, email_verified: true, password_hash: null }, []]);
      expect(claimsOf(answer.body.access)).toMatchObject({ sub: user.id, amr: ['mail'] });
      const recorded = (await events()).map((event) => JSON.stringify(event));
      expect(recorded.sort()).toEqual([
        '["email.verified",{}]',
        '["session.opened",{"ip":"127.0.0.1"}]',
        '["user.registered",{"method":"magic-link"}]',
      ]);
      expectProblem(await app.verify({ request, code }), 401, 'code_not_valid');
      expectProblem(await app.client().login(ADA, PASSWORD), 401, 'incorrect_credentials');
      expect((await signInByCode()).status).toBe(200);
    },
  );

  test('supersedes sign-ups with a password that wait for their confirmation', async () => {
    app = await createMagicLinkApp({ magicLinkSignUp: true, emailVerification: 'mandatory' });
    await app.client().register(ADA);
    const verification = await app.linkTo(ADA);
    expect((await signInByCode()).status).toBe(200);
    expect((await app.open(verification)).status).toBe(400);
    expectProblem(await app.client().login(ADA, PASSWORD), 401, 'email_not_verified');
    expect(await users()).toMatchObject([{ password_hash: null }]);
  });

  test('is taken back by the mailed code if a stranger has signed up with it in the meantime', async () => {
    app = await createMagicLinkApp({ magicLinkSignUp: true, emailVerification: 'optional' });
    const { request, code } = await app.mailed(ADA);
    const stranger = await app.signedUp(ADA);
    const answer = await app.verify({ request, code });
    expect([answer.status, claimsOf(answer.body.access).sub]).toEqual([200, claimsOf(stranger.access).sub]);
    expect((await stranger.refresh()).status).toBe(401);
    expect(await users()).toMatchObject([{ email_verified: true, password_hash: null }]);
  });

  test.each(['ada@example.com,eve@example.com', '"ada"@example.com', 'ada\u200b@exam\u00adple.com', 'ada@[127.0.0.1]'])(
    'that could name several mailboxes or look like another one gets no mail (%j)',
    async (address) => {
      app = await createMagicLinkApp({ magicLinkSignUp: true });
      expect((await app.ask(address)).status).toBe(202);
      await app.settled();
      expect([app.sink.mails, app.sink.tries]).toEqual([[], 0]);
    },
  );

  test('asks the hooks of the app before an account is made, and a refusal leaves the mail usable', async () => {
    const asked: unknown[] = [];
    const hooks = {
      beforeSignUp: async ({ user }: { user: { email: string } }) => {
        asked.push(['sign-up', user.email]);
        if (asked.length === 1) throw new JwtAllauthError('not_yet', { status: 403, detail: 'Not yet.' });
      },
      beforeSignIn: async ({ user, amr }: { user: { email: string }; amr: readonly string[] }) => {
        asked.push(['sign-in', user.email, amr]);
      },
    };
    app = await createMagicLinkApp({ magicLinkSignUp: true }, { auth: { hooks } });
    const { request, code } = await app.mailed(ADA);
    expectProblem(await app.verify({ request, code }), 403, 'not_yet');
    expect(await users()).toEqual([]);
    expect((await app.verify({ request, code })).status).toBe(200);
    expect(asked).toEqual([
      ['sign-up', ADA],
      ['sign-up', ADA],
      ['sign-in', ADA, ['mail']],
    ]);
  });

  test('whose account must have a second factor gets the account and a challenge', async () => {
    app = await createMagicLinkApp({ magicLinkSignUp: true, mfaMode: 'required' });
    const { status, body } = await signInByCode();
    expect([status, body.code, body.methods]).toEqual([401, 'second_factor_required', ['totp_setup']]);
    expect([await users(), await app.liveSessions()]).toMatchObject([[{ email: ADA }], 0]);
    const client = app.client();
    const { answer } = await enrol(app, client, { challenge: body.challenge });
    expect(claimsOf(answer.body.access).amr).toEqual(['mail', 'otp', 'mfa']);
  });

  test('gets no account on the built-in page if a second factor must follow, but by the code in the app', async () => {
    app = await createMagicLinkApp({ magicLinkSignUp: true, mfaMode: 'required' });
    const { request, code, link } = await app.mailed(ADA);
    const page = await app.press(await app.cookieOf(link));
    expect([page.status, page.html]).toEqual([200, expect.stringContaining('second factor')]);
    expect(await users()).toEqual([]);
    expect((await app.verify({ request, code })).body.methods).toEqual(['totp_setup']);
  });

  test('that another user had before a change gets no mail with an offer to sign up', async () => {
    app = await createMagicLinkApp({ magicLinkSignUp: true, emailVerification: 'optional' });
    const owner = await app.signedUp(ADA);
    await app.open(await app.linkTo(ADA));
    await owner.send('POST', '/auth/email/change', { email: 'new@example.com', password: PASSWORD }, owner.bearer);
    await app.open(await app.linkTo('new@example.com'));
    await app.mailsTo(ADA, 3);
    expect((await app.ask(ADA)).status).toBe(202);
    await app.settled();
    expect((await app.mailsTo(ADA)).map(({ subject }) => subject)).not.toContain(
      'Create your account at accounts.test',
    );
  });
});

describe('an invitation', () => {
  const invite = async () => {
    const { id } = await createPerson(app, { email: 'boss@example.com', role: 1000 });
    const { access } = await app.auth.sessions.open({ id });
    const headers = { authorization: `Bearer ${access}` };
    const body = { email: ADA, role: 100 };
    expect((await app.client().send('POST', '/auth/registration/user-register', body, headers)).status).toBe(201);
    return app.linkTo(ADA);
  };

  test('is accepted by a sign-in, and its link is void then', async () => {
    app = await createMagicLinkApp({ invitations: true });
    const invitation = await invite();
    const answer = await signInByCode();
    expect(answer.status).toBe(200);
    const [user] = await users();
    expect(user).toMatchObject({ email: ADA, email_verified: true, password_hash: null, role: 100 });
    expect((await app.open(invitation)).status).toBe(400);
    const { rows } = await app.database.pool.query('select state from auth_account where user_id = $1', [user.id]);
    expect(rows).toEqual([{ state: 'in_use' }]);
    app.clock.advance('8d');
    expect((await signInByCode()).status).toBe(200);
  });

  test.each([
    [false, ['You have no account at accounts.test']],
    [true, ['Create your account at accounts.test']],
  ])('that has expired is not revived (MAGIC_LINK_SIGN_UP=%s)', async (magicLinkSignUp, subjects) => {
    app = await createMagicLinkApp({ invitations: true, magicLinkSignUp });
    await invite();
    const [invited] = await users();
    app.clock.advance('8d');
    const { body } = await app.ask(ADA);
    await app.settled();
    expect(app.sink.mails.slice(1).map(({ subject }) => subject)).toEqual(subjects);
    if (!magicLinkSignUp) return;
    const { code } = await mailedTo(app, ADA, 2);
    const answer = await app.verify({ request: body.request, code });
    expect(answer.status).toBe(200);
    const user = (await users()).find(({ email }) => email === ADA);
    expect([user?.id === invited.id, user?.role]).toEqual([false, 0]);
  });

  test('that expires while the mail is on its way is not revived', async () => {
    app = await createMagicLinkApp({ invitations: true, invitationLifetime: '5m' });
    await invite();
    const { request, code, link } = await app.mailed(ADA);
    app.clock.advance(301);
    expectProblem(await app.verify({ request, code }), 401, 'code_not_valid');
    expectProblem(await app.signIn(await app.cookieOf(link)), 401, 'token_not_valid');
  });
});

test('a refusal of the app leaves the link and the code usable, and counts no attempt', async () => {
  let isRefusing = true;
  const beforeSignIn = async () => {
    if (isRefusing) throw new JwtAllauthError('closed_today', { status: 403, detail: 'Closed today.' });
  };
  app = await createMagicLinkApp({}, { auth: { hooks: { beforeSignIn } } });
  await createPerson(app, { email: ADA });
  const { request, code, link } = await app.mailed(ADA);
  const cookie = await app.cookieOf(link);
  for (let i = 0; i < 4; i++) {
    expectProblem(await app.verify({ request, code }), 403, 'closed_today');
    expectProblem(await app.signIn(cookie), 403, 'closed_today');
  }
  const page = await app.press(cookie);
  expect([page.status, page.html]).toEqual([403, expect.stringContaining('Closed today.')]);
  isRefusing = false;
  expect((await app.verify({ request, code })).status).toBe(200);
});
