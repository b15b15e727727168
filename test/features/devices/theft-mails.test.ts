import { afterEach, expect, test } from 'vitest';
import { createMailApp, type MailApp } from '../../support/mail-app.js';
import { createTestApp } from '../../support/test-app.js';

let app: MailApp | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});
const OWNER = 'owner@example.com';

/** The owner signs in, a thief copies the token, both refresh: the session ends as stolen. */
async function steal({ app, isFirst }: { app: MailApp; isFirst: boolean }): Promise<void> {
  const owner = app.client();
  expect((await (isFirst ? owner.register(OWNER) : owner.login(OWNER))).status).toBeLessThan(300);
  const thief = owner.copy();
  await owner.refresh();
  await owner.refresh();
  app.clock.advance('1m');
  const answer = await thief.refresh();
  expect([answer.status, answer.body.code]).toEqual([401, 'refresh_token_reused']);
}

test('a theft is reported to the owner once, without any part of the token, and with a way to a new password', async () => {
  app = await createMailApp({ passwordResetRequestUrl: 'http://accounts.test/forgot' });
  await steal({ app, isFirst: true });
  const [mail] = await app.mailsTo(OWNER);
  expect(mail?.subject).toBe('Someone else may have used your account');
  expect(mail?.text).toContain('http://accounts.test/forgot');
  expect(await app.mailCount()).toBe(1);
});

test('mails about thefts are limited like other notices', async () => {
  app = await createMailApp({ mailRateLimit: '2/1h/account' });
  for (let round = 0; round < 4; round++) await steal({ app, isFirst: round === 0 });
  expect(await app.mailCount()).toBe(2);
});

test('a lost answer is no theft, and no mail is sent', async () => {
  app = await createMailApp({});
  const owner = await app.signedUp(OWNER);
  const tab = owner.copy();
  await owner.refresh();
  expect((await tab.refresh()).status).toBe(200);
  expect(await app.mailCount()).toBe(0);
});

test('a theft ends the session even if its mail cannot be stored', async () => {
  app = await createMailApp({});
  await app.database.pool.query('alter table auth_outbox_mail add constraint broken check (false)');
  await steal({ app, isFirst: true });
  expect(await app.liveSessions()).toBe(0);
  expect(await app.mailCount()).toBe(0);
  expect(app.log.map(({ message }) => message)).toContain('event listener failed');
});

test('an app that sends no mails reports no theft by mail', async () => {
  const silent = await createTestApp();
  const owner = await silent.signedUp();
  const thief = owner.copy();
  await owner.refresh();
  await owner.refresh();
  silent.clock.advance('1m');
  expect((await thief.refresh()).status).toBe(401);
  await silent.auth.close();
  expect((await silent.database.pool.query('select * from auth_outbox_mail')).rows).toEqual([]);
  await silent.close();
});

test("sign-ups of others with the owner's address do not use up the mails that report a theft", async () => {
  app = await createMailApp({ emailVerification: 'mandatory', mailRateLimit: '2/1h/account' });
  await app.client().register(OWNER);
  await app.open(await app.linkTo(OWNER));
  app.clock.advance('1h');
  for (let i = 0; i < 2; i++) expect((await app.client().register(OWNER)).status).toBe(201);
  await app.mailsTo(OWNER, 3);
  await steal({ app, isFirst: false });
  expect((await app.client().register(OWNER)).status).toBe(429); // mails that others can cause stay limited
  expect(await app.mailCount()).toBe(4);
  expect(app.sink.mails.slice(1).map(({ subject }) => subject)).toEqual([
    'You already have an account',
    'You already have an account',
    'Someone else may have used your account',
  ]);
});
