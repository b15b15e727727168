import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { magicLinkModule } from '../../../src/features/magic-link/index.js';
import { startTestProvider, type TestProvider } from '../../../src/features/social/testing/index.js';
import type { AuthModule } from '../../../src/module-kit.js';
import type { MailApp } from '../../support/mail-app.js';
import { createSocialApp, linksOf, SocialBrowser, trusted } from '../../support/social-app.js';
import type { TestClient } from '../../support/test-client.js';
import { until } from '../../support/until.js';

const HOME = 'http://accounts.test/';

let good: TestProvider;
let poor: TestProvider;
let app: MailApp;
let count = 0;
let email: string;
const disconnected: unknown[] = [];

beforeAll(async () => {
  [good, poor] = await Promise.all([startTestProvider(), startTestProvider()]);
  const providers = [trusted(good, 'good'), trusted(poor, 'poor', { trustEmail: false })];
  const modules = [magicLinkModule as AuthModule];
  app = await createSocialApp({ providers }, { magicLinkSignUp: true }, { modules });
  app.auth.events.on('provider.disconnected', ({ at: _, ...event }) => disconnected.push(event));
});
afterAll(async () => {
  await app.close();
  await good.close();
  await poor.close();
});
beforeEach(() => {
  email = `both${++count}@example.com`;
  disconnected.splice(0);
});

/** The owner of the mailbox signs in with the code of a mail. */
async function signInByMail(): Promise<TestClient> {
  const client = app.client();
  const before = app.sink.mails.length;
  const { request } = (await client.send('POST', '/auth/magic-link', { email })).body;
  const code = () =>
    /: (\d{6})\b/.exec(
      app.sink.mails
        .slice(before)
        .map(({ text }) => text)
        .join(),
    )?.[1];
  await until(code);
  const { body, cookie } = await client.send('POST', '/auth/magic-link/verify', { request, code: code() });
  return Object.assign(client, { access: body.access, refreshToken: cookie?.value ?? '' });
}

async function signInAt(id: 'good' | 'poor', user: { sub?: string; email?: string } = {}) {
  (id === 'good' ? good : poor).signInAs({ email, sub: `${id}-${email}`, ...user });
  const browser = new SocialBrowser(app);
  const { location } = await browser.signIn(id);
  return { browser, location };
}

const linked = async () => (await linksOf(app)).filter(({ user }) => user === email).map(({ provider }) => provider);

test('a stranger who came first with a provider loses session and account when the owner signs in by mail', async () => {
  const stranger = await (await signInAt('poor')).browser.client();
  const { id } = (await stranger.get('/auth/user')).body;
  expect(await linked()).toEqual(['poor']);
  const owner = await signInByMail();
  expect((await owner.get('/auth/user')).body).toMatchObject({ id, emailVerified: true });
  expect([(await stranger.refresh()).status, await linked()]).toEqual([401, []]);
  expect(disconnected).toEqual([{ user: id, provider: 'poor', by: 'mailbox-owner' }]);
  expect((await signInAt('poor')).location).toBe(`${HOME}?error=email_already_registered#status=409`);
  expect((await signInAt('good')).location).toBe(HOME);
  expect(await linked()).toEqual(['good']);
});

test('a stranger who came first with a password and connected an account loses both', async () => {
  const stranger = await app.signedUp(email);
  poor.signInAs({ sub: `stranger-${email}` });
  const browser = new SocialBrowser(app);
  const headers = { ...stranger.bearer, 'content-type': 'application/json' };
  const begun = await browser.open('/auth/social/poor/connect', { method: 'POST', body: '{}', headers });
  await browser.open((await browser.visit(new URL(JSON.parse(begun.html).url))).href);
  expect(await linked()).toEqual(['poor']);
  await signInByMail();
  expect([(await stranger.refresh()).status, (await app.client().login(email)).status]).toEqual([401, 401]);
  expect(await linked()).toEqual([]);
  const again = await signInAt('poor', { sub: `stranger-${email}` });
  expect(again.location).toBe(`${HOME}?error=email_already_registered#status=409`);
});

test('an owner who came first by mail is found by a trusted provider only', async () => {
  const owner = await signInByMail();
  const { id } = (await owner.get('/auth/user')).body;
  expect((await signInAt('poor')).location).toBe(`${HOME}?error=email_already_registered#status=409`);
  const { browser } = await signInAt('good');
  expect((await (await browser.client()).get('/auth/user')).body).toMatchObject({ id });
  expect(await linked()).toEqual(['good']);
});

test('an owner who came first with a provider keeps the account when signing in by mail', async () => {
  const { browser } = await signInAt('good');
  const { id } = (await (await browser.client()).get('/auth/user')).body;
  expect((await (await signInByMail()).get('/auth/user')).body).toMatchObject({ id });
  expect([await linked(), disconnected]).toEqual([['good'], []]);
});
