import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { claimsOf } from '../support/race.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';
import { waitForBlocked } from '../support/test-database.js';

let app: MailApp;
afterEach(() => app.close());

const NEW = 'a new sentence of some length';
const THIRD = 'a third sentence of some length';
const signUp = (email: string, password = PASSWORD) =>
  app.client().send('POST', '/auth/registration', { email, password });
const askReset = (email: string) => app.client().send('POST', '/auth/password/reset', { email });
const resetCookie = async (link: string) =>
  (await app.open(link)).cookies.get('password_reset_access_token')?.split(';')[0] ?? '';
const setNew = (cookie: string, newPassword = NEW) =>
  app.client().send('POST', '/auth/password/reset/set-new', { newPassword }, { cookie });

describe('a mailed link of a sign-up', () => {
  const MARK = 'email_verification_access_token';
  const settings = { emailVerification: 'mandatory', sessionOnEmailVerification: true } as const;

  test('signs in the browser that signed up, once', async () => {
    app = await createMailApp(settings);
    const mark = markOf(await signUp('owner@example.com'));
    const link = await app.linkTo('owner@example.com');
    const opened = await app.open(link, { headers: { cookie: mark } });
    expect([opened.status, opened.cookies.get('refresh_token')]).toEqual([200, expect.stringContaining('HttpOnly')]);
    expect(opened.cookies.get(MARK)).toMatch(/Max-Age=0/);
    const again = await app.open(link, { headers: { cookie: mark } });
    expect([again.status, again.cookies.get('refresh_token'), await app.liveSessions()]).toEqual([200, undefined, 1]);
  });

  test('does not sign anybody in to the account of another person who signed up later with the same address', async () => {
    app = await createMailApp(settings);
    const mark = markOf(await signUp('owner@example.com', NEW));
    await app.mailsTo('owner@example.com');
    await signUp('owner@example.com', PASSWORD); // the other person
    const link = await app.linkTo('owner@example.com', 2);
    for (const cookie of [mark, '', `${MARK}=forged`]) {
      const opened = await app.open(link, { headers: { cookie } });
      expect([opened.status, opened.cookies.get('refresh_token')]).toEqual([200, undefined]);
    }
    expect(await app.liveSessions()).toBe(0);
  });

  test('is prepared in the same way, whether or not the address is taken', async () => {
    app = await createMailApp(settings);
    await signUp('ada@example.com');
    await app.open(await app.linkTo('ada@example.com'));
    const [taken, free] = [await signUp('ada@example.com'), await signUp('grace@example.com')];
    const shape = (answer: typeof taken) => markOf(answer).replace(/[\w-]{43}$/, '');
    expect([taken.status, taken.body, shape(taken)]).toEqual([free.status, free.body, `${MARK}=`]);
    expect(shape(free)).toBe(`${MARK}=`);
  });

  /** The cookie that a sign-up sets, as a browser sends it back. */
  function markOf({ headers }: { headers: Headers }): string {
    const set = headers.getSetCookie().find((cookie) => cookie.startsWith(MARK)) ?? '';
    expect(set).toMatch(/; Max-Age=259200; Path=\/auth; .*HttpOnly; SameSite=Lax/);
    return set.split(';')[0] ?? '';
  }
});

test('an expired invitation no longer gives a role, even after a password reset', async () => {
  app = await createMailApp({ invitations: true, emailVerification: 'mandatory' });
  await signUp('staff@example.com');
  await app.open(await app.linkTo('staff@example.com'));
  await app.database.pool.query('update app_user set role = 1000');
  const staff = app.client();
  await staff.login('staff@example.com');
  const invitation = { email: 'eve@example.com', role: 1000 };
  await staff.send('POST', '/auth/registration/user-register', invitation, staff.bearer);
  const link = await app.linkTo('eve@example.com');
  app.clock.advance('60d'); // INVITATION_LIFETIME is 7d
  expect((await app.open(link)).status).toBe(400);
  await askReset('eve@example.com');
  await app.auth.close(); // until everything is sent
  const mail = app.sink.mails.find(({ subject }) => subject === 'Set a new password');
  const [resetLink = ''] = /http:\S+/.exec(mail?.text ?? '') ?? [];
  if (resetLink) await setNew(await resetCookie(resetLink));
  const eve = app.client();
  const login = await eve.login('eve@example.com', NEW);
  expect([login.status, (await eve.get('/auth/user')).body.role]).not.toEqual([200, 1000]);
});

describe('an address change that was requested with the old password, LOGOUT_ON_PASSWORD_CHANGE=false', () => {
  let owner: TestClient;
  let thief: TestClient;
  const change = () =>
    thief.send('POST', '/auth/email/change', { email: 'thief@example.com', password: PASSWORD }, thief.bearer);

  /** Runs steps while a lock on the user's row or the thief's session is held, each until it waits as well. */
  async function behind(lock: string, ...steps: (() => Promise<unknown>)[]): Promise<void> {
    const holder = await app.database.pool.connect();
    await holder.query('begin');
    await holder.query(lock);
    const running = [];
    for (const step of steps) {
      running.push(step());
      await waitForBlocked(app.database.pool, running.length);
    }
    await holder.query('commit');
    holder.release();
    await Promise.all(running);
  }

  beforeEach(async () => {
    app = await createMailApp({ emailVerification: 'optional', logoutOnPasswordChange: false });
    owner = await app.signedUp('owner@example.com');
    await app.mailsTo('owner@example.com');
    thief = app.client();
    await thief.login('owner@example.com');
  });

  afterEach(async () => {
    await app.auth.close(); // until everything is sent
    const mail = app.sink.mails.find(({ subject }) => subject === 'Confirm your new e-mail address');
    const [link] = /http:\S+/.exec(mail?.text ?? '') ?? [];
    if (link) expect((await app.open(link)).status).toBe(400);
    const { rows } = await app.database.pool.query('select email from app_user');
    expect(rows).toEqual([{ email: 'owner@example.com' }]);
  });

  test('is cancelled when the password changes after it', async () => {
    const ofThief = `select 1 from auth_session where id = '${claimsOf(thief.access).session}' for update`;
    await behind(ofThief, change, () => owner.changePassword(PASSWORD, NEW));
  });

  test('mails no link if the password changes before the request is stored', async () => {
    await behind('select 1 from app_user for update', () => owner.changePassword(PASSWORD, NEW), change);
    await app.auth.close();
    expect(app.sink.mails.map(({ subject }) => subject)).not.toContain('Confirm your new e-mail address');
  });
});

test('reading the database gives no working link, even while a mail waits in the outbox', async () => {
  app = await createMailApp({});
  await app.signedUp('ada@example.com');
  app.sink.refuseWith(450); // greylisting
  await askReset('ada@example.com');
  await app.auth.close();
  const { rows } = await app.database.pool.query('select * from auth_outbox_mail');
  const [link] = /http:\/\/accounts\.test\/\S+/.exec(JSON.stringify(rows)) ?? [];
  const cookie = link ? await resetCookie(link.replace(/[\\"].*/, '')) : '';
  expect((await setNew(cookie)).status).toBe(401);
});

test('a cookie of the same name from a sibling domain does not hide the valid one', async () => {
  app = await createMailApp({});
  await app.signedUp('ada@example.com');
  await askReset('ada@example.com');
  const cookie = await resetCookie(await app.linkTo('ada@example.com'));
  expect((await setNew(`password_reset_access_token=tossed; ${cookie}`)).status).toBe(200);
});

test('an unconfirmed sign-up of another person does not keep an address from the owner of its mailbox', async () => {
  app = await createMailApp({ emailVerification: 'mandatory' });
  await signUp('ada@example.com');
  await app.open(await app.linkTo('ada@example.com'));
  const ada = app.client();
  await ada.login('ada@example.com');
  await signUp('ada-new@example.com', THIRD); // another person, who never confirms it
  await app.mailsTo('ada-new@example.com');
  app.clock.advance('4d'); // that link has expired
  await ada.login('ada@example.com');
  await ada.send('POST', '/auth/email/change', { email: 'ada-new@example.com', password: PASSWORD }, ada.bearer);
  await app.mailsTo('ada@example.com', 2); // the notice
  await app.auth.close(); // until everything is sent
  const mail = app.sink.mails.find(({ subject }) => subject === 'Confirm your new e-mail address');
  expect(mail).toBeDefined();
});

test('an account in use is not replaced by an invitation', async () => {
  app = await createMailApp({ emailVerification: 'optional', invitations: true });
  await app.signedUp('ada@example.com'); // ada uses the account without confirming the address
  await app.database.pool.query("update auth_one_time_key set purpose = 'registration'"); // as older versions did
  const [before] = (await app.database.pool.query('select id from app_user')).rows;
  await app.database.pool.query('delete from auth_session'); // as a purge does, weeks later
  const staff = await app.signedUp('staff@example.com');
  await app.database.pool.query(`update app_user set role = 1000 where email = 'staff@example.com'`);
  await staff.send('POST', '/auth/registration/user-register', { email: 'ada@example.com', role: 0 }, staff.bearer);
  const { rows } = await app.database.pool.query(`select id from app_user where email = 'ada@example.com'`);
  expect(rows).toEqual([before]);
});

test('a sign-up with the address of a user to whom an app’s table refers is answered like any other', async () => {
  app = await createMailApp({ emailVerification: 'mandatory' });
  await signUp('ada@example.com');
  await app.open(await app.linkTo('ada@example.com'));
  await app.database.pool.query('create table profile (user_id uuid references app_user (id))');
  await app.database.pool.query('insert into profile select id from app_user');
  expect((await signUp('ada@example.com', NEW)).status).toBe(201);
});

test('a link that was mailed before a deactivation does not work after the reactivation', async () => {
  app = await createMailApp({ emailVerification: 'optional' });
  const thief = await app.signedUp('owner@example.com');
  await thief.send('POST', '/auth/email/change', { email: 'thief@example.com', password: PASSWORD }, thief.bearer);
  const link = await app.linkTo('thief@example.com');
  const [{ id }] = (await app.database.pool.query('select id from app_user')).rows;
  await app.auth.deactivation.deactivate(id);
  await app.database.pool.query('update app_user set is_active = true');
  await app.open(link);
  expect((await app.database.pool.query('select email from app_user')).rows).toEqual([{ email: 'owner@example.com' }]);
});
