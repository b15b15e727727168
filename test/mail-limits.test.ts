import { afterEach, expect, test } from 'vitest';
import { createMailApp, type MailApp } from './support/mail-app.js';
import { PASSWORD } from './support/test-client.js';

let app: MailApp;
afterEach(() => app.close());
const LIMIT = '5/1h/account,50/1h/ip'; // the default

test('a stranger cannot use up the mailbox of an owner by requests that mail nothing: resend', async () => {
  app = await createMailApp({ emailVerification: 'none', mailRateLimit: LIMIT });
  await app.signedUp('ada@example.com');
  for (let i = 0; i < 5; i++)
    await app.client().send('POST', '/auth/registration/verification/resend', { email: 'ada@example.com' });
  expect(app.sink.mails).toHaveLength(0);
  const answer = await app.client().send('POST', '/auth/password/reset', { email: 'ada@example.com' });
  expect(answer.status).toBe(202);
});

test('a stranger cannot use up the mailbox of an owner by requests that mail nothing: sign-up (409)', async () => {
  app = await createMailApp({ emailVerification: 'optional', mailRateLimit: LIMIT });
  await app.signedUp('ada@example.com');
  await app.mailsTo('ada@example.com');
  app.clock.advance('1h');
  for (let i = 0; i < 5; i++) await app.client().register('ada@example.com');
  expect(app.sink.mails).toHaveLength(1);
  const answer = await app.client().send('POST', '/auth/password/reset', { email: 'ada@example.com' });
  expect(answer.status).toBe(202);
});

test('a mailbox that nobody proved is not flooded by password changes', async () => {
  app = await createMailApp({ emailVerification: 'optional', mailRateLimit: LIMIT });
  const stranger = await app.signedUp('victim@example.com');
  let [current, next] = [PASSWORD, 'another sentence of some length'];
  for (let i = 0; i < 20; i++) {
    expect((await stranger.changePassword(current, next)).status).toBe(200);
    [current, next] = [next, current];
  }
  expect(await app.mailCount()).toBe(1 + 5); // the link of the sign-up, and notices
});

test('a mailbox that nobody proved is not flooded by notices of address changes', async () => {
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

test('a mailbox is not flooded by sign-up and deletion in turn', async () => {
  app = await createMailApp({ emailVerification: 'none', mailRateLimit: LIMIT });
  for (let i = 0; i < 8; i++) {
    const stranger = await app.signedUp('victim@example.com');
    await stranger.send('DELETE', '/auth/user', { password: PASSWORD }, stranger.bearer);
  }
  expect(await app.mailCount()).toBe(5);
});
