import { afterEach, expect, test } from 'vitest';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import type { TestAppOptions } from '../support/test-app.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';

let app: MailApp;
afterEach(() => app.close());
const LIMIT = '5/1h/account,50/1h/ip'; // the default

test('other people cannot use up the mail limit of an owner with requests that send no mail: resend', async () => {
  app = await createMailApp({ emailVerification: 'none', mailRateLimit: LIMIT });
  await app.signedUp('ada@example.com');
  for (let i = 0; i < 5; i++)
    await app.client().send('POST', '/auth/registration/verification/resend', { email: 'ada@example.com' });
  expect(app.sink.mails).toHaveLength(0);
  const answer = await app.client().send('POST', '/auth/password/reset', { email: 'ada@example.com' });
  expect(answer.status).toBe(202);
});

test('other people cannot use up the mail limit of an owner with requests that send no mail: sign-up (409)', async () => {
  app = await createMailApp({ emailVerification: 'optional', mailRateLimit: LIMIT });
  await app.signedUp('ada@example.com');
  await app.mailsTo('ada@example.com');
  app.clock.advance('1h');
  for (let i = 0; i < 5; i++) await app.client().register('ada@example.com');
  expect(app.sink.mails).toHaveLength(1);
  const answer = await app.client().send('POST', '/auth/password/reset', { email: 'ada@example.com' });
  expect(answer.status).toBe(202);
});

test('password changes do not flood an unconfirmed mailbox', async () => {
  app = await createMailApp({ emailVerification: 'optional', mailRateLimit: LIMIT });
  const stranger = await app.signedUp('victim@example.com');
  let [current, next] = [PASSWORD, 'another sentence of some length'];
  for (let i = 0; i < 20; i++) {
    expect((await stranger.changePassword(current, next)).status).toBe(200);
    [current, next] = [next, current];
  }
  expect(await app.mailCount()).toBe(1 + 5); // the link of the sign-up, and notices
});

test('notices of address changes do not flood an unconfirmed mailbox', async () => {
  app = await createMailApp({ emailVerification: 'optional', mailRateLimit: LIMIT });
  const stranger = await app.signedUp('victim@example.com');
  for (let i = 0; i < 20; i++) {
    const change = { email: `other${i}@example.com`, password: PASSWORD };
    await stranger.send('POST', '/auth/email/change', change, stranger.bearer);
  }
  await app.auth.close();
  const toVictim = app.sink.mails.filter(({ to }) => [to].flat().some((each) => each?.text === 'victim@example.com'));
  expect(toVictim).toHaveLength(1 + 5);
});

test('repeated sign-up and deletion do not flood a mailbox', async () => {
  app = await createMailApp({ emailVerification: 'none', mailRateLimit: LIMIT });
  for (let i = 0; i < 8; i++) {
    const stranger = await app.signedUp('victim@example.com');
    await stranger.send('DELETE', '/auth/user', { password: PASSWORD }, stranger.bearer);
  }
  expect(await app.mailCount()).toBe(5);
});

const BEHIND_PROXY: TestAppOptions = { express: 5, configure: (server) => server.set('trust proxy', true) };
const CHANGED = 'Your e-mail address was changed';

/** Signs up with the victim's address and moves the account to another one. */
async function moveAwayFrom(victim: string, to: string, ip: string): Promise<TestClient> {
  const stranger = app.client();
  const headers = { 'x-forwarded-for': ip };
  const signUp = await stranger.send('POST', '/auth/registration', { email: victim, password: PASSWORD }, headers);
  expect(signUp.status).toBe(201);
  stranger.access = signUp.body.access;
  const change = { email: to, password: PASSWORD };
  expect((await stranger.send('POST', '/auth/email/change', change, stranger.bearer)).status).toBe(202);
  expect((await app.open(await app.linkTo(to))).status).toBe(200);
  return stranger;
}

test('address changes of new accounts do not flood an unconfirmed mailbox', async () => {
  app = await createMailApp({ emailVerification: 'optional', mailRateLimit: '5/1h/account' }, BEHIND_PROXY);
  for (let i = 0; i < 8; i++) await moveAwayFrom('victim@example.com', `other${i}@example.com`, `203.0.113.${i % 4}`);
  await app.auth.close();
  expect(app.sink.mails.filter(({ subject }) => subject === CHANGED)).toHaveLength(5);
});

test('repeated sign-up, change and deletion do not flood a mailbox without verification either', async () => {
  app = await createMailApp({ emailVerification: 'none', mailRateLimit: '3/1h/account' }, BEHIND_PROXY);
  for (let i = 0; i < 5; i++) {
    const stranger = await moveAwayFrom('victim@example.com', `other${i}@example.com`, '203.0.113.1');
    expect((await stranger.send('DELETE', '/auth/user', { password: PASSWORD }, stranger.bearer)).status).toBe(204);
  }
  await app.auth.close();
  const mails = app.sink.mails.filter(({ subject }) => subject === CHANGED);
  expect(mails.map(({ text }) => text?.includes('/auth/email/undo/'))).toEqual([true, true, true]);
});

test('the notice with the undo link is sent even if other notices have used up their limit', async () => {
  app = await createMailApp({ emailVerification: 'none', mailRateLimit: '1/1h/account' });
  const thief = await app.signedUp('owner@example.com');
  expect((await thief.changePassword(PASSWORD, 'another sentence of some length')).status).toBe(200);
  const change = { email: 'thief@example.com', password: 'another sentence of some length' };
  expect((await thief.send('POST', '/auth/email/change', change, thief.bearer)).status).toBe(202);
  expect((await app.open(await app.linkTo('thief@example.com'))).status).toBe(200);
  const mails = await app.mailsTo('owner@example.com', 2);
  expect(mails.map(({ subject }) => subject)).toEqual(['Your password was changed', CHANGED]);
});
