import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { expectProblem } from '../support/expect-problem.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';

const NEW = 'a new sentence of some length';
const SUBJECTS = {
  verification: 'Confirm your e-mail address',
  reset: 'Set a new password',
  change: 'Confirm your new e-mail address',
  invitation: 'You are invited',
};

/** Every request of accounts by mail, in every mode of EMAIL_VERIFICATION. */
describe.each(['none', 'optional', 'mandatory'] as const)('with EMAIL_VERIFICATION=%s', (mode) => {
  let app: MailApp;
  beforeEach(async () => {
    app = await createMailApp({ emailVerification: mode, invitations: true });
  });
  afterEach(() => app.close());

  const post = (path: string, body: object, headers: Record<string, string> = {}) =>
    app.client().send('POST', `/auth${path}`, body, headers);
  const signUp = (email: string) => post('/registration', { email, password: PASSWORD });
  const users = async () =>
    (await app.database.pool.query('select email, email_verified, role from app_user order by email')).rows;

  /** Signs up, and opens the mailed link if there is one. */
  async function confirmed(email: string): Promise<void> {
    expect((await signUp(email)).status).toBe(201);
    if (mode !== 'none') expect((await app.open(await linkOf('verification', email))).status).toBe(200);
  }

  /** A user who is signed in, with a confirmed address. */
  async function member(email: string, role = 0): Promise<TestClient> {
    await confirmed(email);
    await app.database.pool.query('update app_user set email_verified = true, role = $1 where email = $2', [
      role,
      email,
    ]);
    const client = app.client();
    expect((await client.login(email)).status).toBe(200);
    return client;
  }

  /** The link of the latest mail of a kind to an address. */
  async function linkOf(kind: keyof typeof SUBJECTS, email: string): Promise<string> {
    for (let count = 1; ; count++) {
      const mail = (await app.mailsTo(email, count)).findLast(({ subject }) => subject === SUBJECTS[kind]);
      const [link] = mail?.text?.match(/http:\S+/) ?? [];
      if (link) return link;
    }
  }

  async function cookieOf(link: string, name: string): Promise<string> {
    const opened = await app.open(link);
    expect([opened.status, opened.headers.get('cache-control')]).toEqual([303, 'no-store']);
    return opened.cookies.get(name)?.split(';')[0] ?? '';
  }

  test('a sign-up returns a session, a link to confirm the address, or both', async () => {
    const answer = await signUp('ada@example.com');
    const isLetIn = mode !== 'mandatory';
    expect([answer.status, Object.keys(answer.body)]).toEqual([201, [isLetIn ? 'access' : 'detail']]);
    expect([answer.cookie !== undefined, await app.liveSessions()]).toEqual([isLetIn, Number(isLetIn)]);
    const user = { email: 'ada@example.com', email_verified: mode === 'none', role: 0 };
    expect(await users()).toEqual(isLetIn ? [user] : []);
    const login = await app.client().login('ada@example.com');
    if (isLetIn) expect(login.status).toBe(200);
    else expectProblem(login, 401, 'email_not_verified');
    if (mode === 'none') return expect(await app.mailCount()).toBe(0);
    const link = await linkOf('verification', 'ada@example.com');
    expect([(await app.open(link)).status, (await app.open(link)).status]).toEqual([200, 200]);
    expect(await users()).toEqual([{ email: 'ada@example.com', email_verified: true, role: 0 }]);
    expect((await app.client().login('ada@example.com')).status).toBe(200);
    expect(await app.mailCount()).toBe(1);
  });

  test('a sign-up with a taken address is answered with 409, or like any other', async () => {
    await member('ada@example.com');
    const before = mode === 'none' ? 0 : (await app.mailsTo('ada@example.com')).length;
    const again = await signUp(' Ada@Example.com');
    if (mode === 'mandatory') {
      expect([again.status, again.body]).toEqual([201, (await signUp('nobody@example.com')).body]);
      expect((await app.mailsTo('ada@example.com', before + 1)).at(-1)?.subject).toBe('You already have an account');
    } else {
      expectProblem(again, 409, 'email_already_registered');
      expect(await app.mailCount()).toBe(before);
    }
  });

  test('a link is mailed again to an unconfirmed address, and to no other', async () => {
    await signUp('ada@example.com');
    const waits = mode !== 'none';
    const first = waits ? await linkOf('verification', 'ada@example.com') : '';
    const answers = [];
    for (const email of ['ada@example.com', 'nobody@example.com'])
      answers.push(await post('/registration/verification/resend', { email }));
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    expect(answers[0]?.body).toEqual(answers[1]?.body);
    if (waits) {
      await app.mailsTo('ada@example.com', 2);
      expect((await app.open(first)).status).toBe(400); // superseded
      expect((await app.open(await linkOf('verification', 'ada@example.com'))).status).toBe(200);
    }
    expect(await app.mailCount()).toBe(waits ? 2 : 0);
  });

  test('a password reset sets a new password, confirms the address, and ends every older session and link', async () => {
    if (mode === 'mandatory') await confirmed('ada@example.com');
    else await signUp('ada@example.com');
    expect((await post('/password/reset', { email: 'ada@example.com' })).status).toBe(202);
    const link = await linkOf('reset', 'ada@example.com');
    const cookie = await cookieOf(link, 'password_reset_access_token');
    const answer = await post('/password/reset/set-new', { newPassword: NEW }, { cookie });
    expect([answer.status, Object.keys(answer.body), await app.liveSessions()]).toEqual([200, ['access'], 1]);
    expect(await users()).toEqual([{ email: 'ada@example.com', email_verified: true, role: 0 }]);
    expectProblem(await post('/password/reset/set-new', { newPassword: NEW }, { cookie }), 401, 'token_not_valid');
    expectProblem(await app.client().login('ada@example.com'), 401, 'incorrect_credentials');
    expect((await app.client().login('ada@example.com', NEW)).status).toBe(200);
  });

  test('an address changes when the link to the new one is opened', async () => {
    const ada = await member('ada@example.com');
    const change = { email: 'countess@example.com', password: PASSWORD };
    expect((await ada.send('POST', '/auth/email/change', change, ada.bearer)).status).toBe(202);
    const link = await linkOf('change', 'countess@example.com');
    expect((await users())[0].email).toBe('ada@example.com');
    expect((await app.open(link)).status).toBe(200);
    expect(await users()).toEqual([{ email: 'countess@example.com', email_verified: true, role: 0 }]);
    expect((await app.client().login('countess@example.com')).status).toBe(200);
    await app.auth.close();
    const notices = app.sink.mails.filter(({ subject }) => subject === 'Your e-mail address is about to change');
    expect(notices.map(({ to }) => [to].flat()[0]?.text)).toEqual(['ada@example.com']);
  });

  test('an invited person gets the role of the invitation when accepting it', async () => {
    const staff = await member('staff@example.com', 1000);
    const invitation = { email: 'eve@example.com', role: 700 };
    const invited = await staff.send('POST', '/auth/registration/user-register', invitation, staff.bearer);
    expect([invited.status, Object.keys(invited.body)]).toEqual([201, ['detail']]);
    expectProblem(await app.client().login('eve@example.com'), 401, 'incorrect_credentials');
    const cookie = await cookieOf(await linkOf('invitation', 'eve@example.com'), 'set_password_access_token');
    const answer = await post('/registration/set-password', { newPassword: NEW }, { cookie });
    expect([answer.status, Object.keys(answer.body)]).toEqual([200, ['access']]);
    expect((await users())[0]).toEqual({ email: 'eve@example.com', email_verified: true, role: 700 });
    expect((await app.client().login('eve@example.com', NEW)).status).toBe(200);
  });

  test('an address whose invitation has expired is free for a sign-up and for another invitation', async () => {
    const staff = await member('staff@example.com', 1000);
    for (const email of ['eve@example.com', 'mallory@example.com']) {
      const invitation = { email, role: 1000 };
      await staff.send('POST', '/auth/registration/user-register', invitation, staff.bearer);
    }
    app.clock.advance('7d');
    await confirmed('eve@example.com');
    await staff.login('staff@example.com');
    const again = { email: 'mallory@example.com', role: 0 };
    expect((await staff.send('POST', '/auth/registration/user-register', again, staff.bearer)).status).toBe(201);
    expect((await users()).map(({ email, role }) => [email, role])).toEqual([
      ['eve@example.com', 0],
      ['mallory@example.com', 0],
      ['staff@example.com', 1000],
    ]);
  });

  test('a user can delete the account with the password, and nothing of it is left', async () => {
    const ada = await member('ada@example.com');
    const { status } = await ada.send('DELETE', '/auth/user', { password: PASSWORD }, ada.bearer);
    expect([status, await users(), await app.liveSessions()]).toEqual([204, [], 0]);
    const { rows } = await app.database.pool.query('select 1 from auth_one_time_key');
    expect(rows).toEqual([]);
    expectProblem(await app.client().login('ada@example.com'), 401, 'incorrect_credentials');
    expect((await signUp('ada@example.com')).status).toBe(201);
  });
});
