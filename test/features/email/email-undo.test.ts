import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createMailApp, type MailApp, type PageAnswer, PUBLIC_URL } from '../../support/mail-app.js';
import { PASSWORD, type TestClient } from '../../support/test-client.js';
import { until } from '../../support/until.js';

const OWN = 'owner@example.com';
const THIEF = 'thief@example.com';
let app: MailApp;
let thief: TestClient;
beforeEach(async () => {
  app = await createMailApp({ mailRateLimit: 'off' });
  thief = await app.signedUp(OWN); // signed in as the owner
});
afterEach(() => app.close());

const user = async () => (await app.database.pool.query('select * from app_user')).rows[0];

/** Moves the account to an address, as anybody who knows the password can. */
async function moveTo(email: string, client = thief): Promise<void> {
  const confirmations = () =>
    app.sink.mails.filter(({ to, subject }) => [to].flat()[0]?.text === email && subject?.startsWith('Confirm'));
  const before = confirmations().length;
  const body = { email, password: PASSWORD };
  expect((await client.send('POST', '/auth/email/change', body, client.bearer)).status).toBe(202);
  await until(() => confirmations().length > before);
  const [link = ''] =
    confirmations()
      .at(-1)
      ?.text?.match(/http:\S+/) ?? [];
  expect((await app.open(link)).status).toBe(200);
}

/** The link in the mail to an old address, after the notice that the change was requested. */
const undoLink = (email: string, count = 2) => app.linkTo(email, count);

/** The cookie that the browser keeps of an answer. */
const cookieOf = ({ cookies }: PageAnswer, name: string) => cookies.get(name)?.split(';')[0] ?? '';
const FORM = `${PUBLIC_URL}/auth/email/undo-form`;

/** Opens the link and presses the button. */
async function undo(link: string): Promise<PageAnswer> {
  const opened = await app.open(link);
  if (opened.status !== 303) return opened;
  expect([opened.location, opened.html]).toEqual([FORM, '']);
  return app.open(FORM, { method: 'POST', headers: { cookie: cookieOf(opened, 'email_undo_access_token') } });
}

test('the old address is notified of a change, and the link in the mail restores it', async () => {
  await moveTo(THIEF);
  const [, mail] = await app.mailsTo(OWN, 2);
  expect(mail?.subject).toBe('Your e-mail address was changed');
  expect([mail?.text?.includes(THIEF), mail?.text?.includes('3 days')]).toEqual([true, true]);
  const link = await undoLink(OWN);

  // A scanner of mails that opens the link changes nothing.
  const opened = await app.open(link);
  const page = await app.open(FORM, { headers: { cookie: cookieOf(opened, 'email_undo_access_token') } });
  expect([page.status, page.html.includes('<form method="post"'), page.html.includes(OWN)]).toEqual([200, true, true]);
  expect(page.html).not.toMatch(/[\w-]{43}/); // the key is in the cookie alone
  expect((await app.open(link, { method: 'HEAD' })).status).toBe(303);
  expect((await user()).email).toBe(THIEF);

  const done = await undo(link);
  expect(done.status).toBe(200);
  expect(await user()).toMatchObject({ email: OWN, email_verified: true, password_hash: null });
  expect(await app.liveSessions()).toBe(0);
  for (const email of [OWN, THIEF]) expect((await app.client().login(email)).status).toBe(401);

  expect(done.html).toContain(`href="${PUBLIC_URL}/auth/password/reset/form"`);
  expect(done.html).not.toMatch(/[\w-]{43}/);
  expect(done.cookies.get('email_undo_access_token')).toContain('Max-Age=0');
  const cookie = cookieOf(done, 'password_reset_access_token');
  const body = { newPassword: 'tiger lamp cloud river' };
  const answer = await app.client().send('POST', '/auth/password/reset/set-new', body, { cookie });
  expect(answer.status).toBe(200);
  expect((await app.client().login(OWN, body.newPassword)).status).toBe(200);
  expect((await undo(link)).status).toBe(400); // once
});

test('a link is good for 72 hours', async () => {
  await moveTo(THIEF);
  const link = await undoLink(OWN);
  app.clock.advance('72h');
  expect([(await app.open(link)).status, (await undo(link)).status]).toEqual([400, 400]);
  expect((await user()).email).toBe(THIEF);
});

describe('a thief cannot prevent the undo', () => {
  test('with a new password', async () => {
    await moveTo(THIEF);
    await thief.login(THIEF);
    expect((await thief.changePassword(PASSWORD, 'another sentence, as long')).status).toBe(200);
    expect((await undo(await undoLink(OWN))).status).toBe(200);
    expect((await user()).email).toBe(OWN);
  });

  test('with a reset through the new mailbox', async () => {
    await moveTo(THIEF);
    await app.client().send('POST', '/auth/password/reset', { email: THIEF });
    const form = await app.open(await app.linkTo(THIEF, 2));
    const cookie = [...form.cookies.values()][0]?.split(';')[0] ?? '';
    await app
      .client()
      .send('POST', '/auth/password/reset/set-new', { newPassword: 'tiger lamp cloud river' }, { cookie });
    expect((await undo(await undoLink(OWN))).status).toBe(200);
    expect((await user()).email).toBe(OWN);
  });

  test('with further changes of the address, whose undo links stop working', async () => {
    await moveTo(THIEF);
    for (const email of ['second@example.com', 'third@example.com', 'fourth@example.com', 'fifth@example.com']) {
      await moveTo(email);
    }
    const own = await undoLink(THIEF, 3);
    expect((await undo(await undoLink(OWN))).status).toBe(200);
    expect((await user()).email).toBe(OWN);
    expect((await undo(own)).status).toBe(400);
    expect((await user()).email).toBe(OWN);
  });

  test('by undoing only the last of two changes', async () => {
    await moveTo(THIEF);
    await moveTo('second@example.com');
    expect((await undo(await undoLink(THIEF, 3))).status).toBe(200);
    expect((await user()).email).toBe(THIEF);
    expect((await undo(await undoLink(OWN))).status).toBe(200);
    expect((await user()).email).toBe(OWN);
  });

  test('with a sign-up or another account that takes the old address', async () => {
    const accomplice = await app.signedUp('accomplice@example.com');
    await moveTo(THIEF);
    expect((await app.client().register(OWN)).body.code).toBe('email_already_registered');
    await accomplice.send('POST', '/auth/email/change', { email: OWN, password: PASSWORD }, accomplice.bearer);
    await app.auth.close();
    expect(app.sink.mails.filter(({ to }) => [to].flat()[0]?.text === OWN)).toHaveLength(2);
    app.clock.advance('72h');
    expect((await app.client().register(OWN)).status).toBe(201);
  });
});

test('a user who changed the address can change it back without the link', async () => {
  await moveTo('new@example.com');
  await moveTo(OWN);
  expect((await user()).email).toBe(OWN);
});

test('an unconfirmed old address is notified, and gets no link', async () => {
  await app.database.pool.query('update app_user set email_verified = false');
  await moveTo(THIEF);
  const [, mail] = await app.mailsTo(OWN, 2);
  expect(mail?.subject).toBe('Your e-mail address was changed');
  expect(mail?.text).not.toContain('http');
  expect((await app.client().register(OWN)).status).toBe(201); // the address cannot be claimed
});

test('another site cannot submit the undo form, and the form does not work without the cookie', async () => {
  await moveTo(THIEF);
  const cookie = cookieOf(await app.open(await undoLink(OWN)), 'email_undo_access_token');
  const foreign = await app.open(FORM, { method: 'POST', headers: { cookie, origin: 'https://evil.example' } });
  expect(foreign.status).toBe(403);
  for (const method of ['GET', 'POST']) expect((await app.open(FORM, { method })).status).toBe(400);
  expect((await user()).email).toBe(THIEF);
});

test("the page leads to the app's own form if there is one", async () => {
  const form = 'https://app.example.com/new-password';
  const own = await createMailApp({ mailRateLimit: 'off', passwordResetRedirect: form }, { database: app.database });
  await moveTo(THIEF);
  const opened = await own.open(await undoLink(OWN));
  const headers = { cookie: cookieOf(opened, 'email_undo_access_token') };
  const done = await own.open(FORM, { method: 'POST', headers });
  expect([done.status, done.html.includes(`href="${form}"`)]).toEqual([200, true]);
  expect(cookieOf(done, 'password_reset_access_token')).not.toBe('');
  await own.close();
});

test('a deactivated account is not changed', async () => {
  await moveTo(THIEF);
  const link = await undoLink(OWN);
  await app.auth.deactivation.deactivate((await user()).id);
  expect((await undo(link)).status).toBe(400);
  expect((await user()).email).toBe(THIEF);
});

test('of many clicks at the same moment one succeeds', async () => {
  await moveTo(THIEF);
  const link = await undoLink(OWN);
  const answers = await Promise.all([undo(link), undo(link), undo(link)]);
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400]);
  expect((await user()).email).toBe(OWN);
});
