import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestProvider, type TestProvider } from '../../../src/features/social/testing/index.js';
import type { MailApp } from '../../support/mail-app.js';
import { createPerson } from '../../support/person.js';
import { createSocialApp, linksOf, SocialBrowser, trusted } from '../../support/social-app.js';
import { PASSWORD } from '../../support/test-client.js';

let provider: TestProvider;
let app: MailApp;
beforeAll(async () => {
  provider = await startTestProvider();
  app = await createSocialApp({ providers: [trusted(provider)] });
  provider.clock = app.clock;
});
afterAll(async () => {
  await app.close();
  await provider.close();
});

test('connecting an account of a provider voids the link that confirms a new address: an undo would keep the account', async () => {
  provider.signInAs({ sub: 'thief', email: 'thief@provider.example' });
  const person = await createPerson(app);
  const client = app.client();
  await client.login(person.email);
  const body = { email: 'thief@example.com', password: PASSWORD };
  expect((await client.send('POST', '/auth/email/change', body, client.bearer)).status).toBe(202);
  const link = await app.linkTo('thief@example.com');
  const browser = new SocialBrowser(app);
  const headers = { ...client.bearer, 'content-type': 'application/json' };
  const answer = await browser.open('/auth/social/test/connect', { method: 'POST', body: '{}', headers });
  await browser.open((await browser.visit(new URL(JSON.parse(answer.html).url))).href);
  expect(await linksOf(app)).toMatchObject([{ sub: 'thief' }]);
  expect((await app.open(link)).status).toBe(400);
  const { rows } = await app.database.pool.query('select email from app_user where id = $1', [person.id]);
  expect(rows).toEqual([{ email: person.email }]);
});

test('an undo disconnects the account of a thief at once, before the owner has set a new password', async () => {
  provider.signInAs({ sub: 'early-thief', email: 'early@provider.example' });
  const person = await createPerson(app);
  const thief = app.client();
  await thief.login(person.email);
  const connecting = new SocialBrowser(app);
  const headers = { ...thief.bearer, 'content-type': 'application/json' };
  const answer = await connecting.open('/auth/social/test/connect', { method: 'POST', body: '{}', headers });
  await connecting.open((await connecting.visit(new URL(JSON.parse(answer.html).url))).href);
  app.clock.advance(1);
  const change = { email: 'early@example.com', password: PASSWORD };
  expect((await thief.send('POST', '/auth/email/change', change, thief.bearer)).status).toBe(202);
  await app.open(await app.linkTo('early@example.com'));
  const mails = await app.mailsTo(person.email, 3);
  const link = /http:\/\/accounts\.test\/\S*undo\S*/.exec(mails.map(({ text }) => text).join('\n'))?.[0] ?? '';
  const opened = await app.open(link);
  const cookie = opened.cookies.get('email_undo_access_token')?.split(';')[0] ?? '';
  const undone = await app.open(opened.location ?? '', { method: 'POST', headers: { cookie } });
  expect(undone.cookies.has('password_reset_access_token')).toBe(true);

  const browser = new SocialBrowser(app);
  await browser.signIn();
  const { body } = await (await browser.client()).get('/auth/user');
  expect(body.email).not.toBe(person.email);
  expect((await linksOf(app)).filter(({ user }) => user === person.email)).toEqual([]);
});
