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
