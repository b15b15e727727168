import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startTestProvider, type TestProvider } from '../../../src/features/social/testing/index.js';
import type { MailApp } from '../../support/mail-app.js';
import { createPerson } from '../../support/person.js';
import { createSocialApp, linksOf, SocialBrowser, trusted } from '../../support/social-app.js';
import { until } from '../../support/until.js';

const VICTIM = 'victim@example.com';
const OTHER = 'another sentence of some length';

let evil: TestProvider;
let good: TestProvider;
let app: MailApp;
beforeAll(async () => {
  [evil, good] = await Promise.all([startTestProvider(), startTestProvider()]);
});
afterEach(() => app.close());
afterAll(async () => {
  await evil.close();
  await good.close();
});

async function start(
  emailVerification: 'none' | 'optional' | 'mandatory' = 'optional',
  options: Parameters<typeof createSocialApp>[2] = {},
) {
  const providers = [trusted(evil, 'evil', { trustEmail: false }), trusted(good, 'good')];
  app = await createSocialApp({ providers }, { emailVerification }, options);
  evil.clock = good.clock = app.clock;
}

/** Signs in at a provider in a new browser. */
async function signIn(at: TestProvider, user: { sub: string; email: string; givenName?: string }) {
  at.signInAs(user);
  const browser = new SocialBrowser(app);
  const { query } = await browser.signIn(at === evil ? 'evil' : 'good');
  return { error: query['error'], browser };
}

/** Opens the latest link to an address. @returns the cookie of a password reset */
async function openLink(email: string, path: string): Promise<string | undefined> {
  const links = () =>
    app.sink.mails
      .filter(({ to }) => [to].flat().some((each) => each?.text === email))
      .flatMap(({ text }) => text?.match(/http:\/\/accounts\.test\/\S+/g) ?? [])
      .filter((link) => link.includes(path));
  await until(() => links().length > 0);
  const { cookies } = await app.open(links().at(-1) ?? '');
  return cookies.get('password_reset_access_token')?.split(';')[0];
}

async function reset(): Promise<number> {
  await app.client().send('POST', '/auth/password/reset', { email: VICTIM });
  const cookie = (await openLink(VICTIM, '/password/reset/')) ?? '';
  const body = { newPassword: OTHER };
  return (await app.client().send('POST', '/auth/password/reset/set-new', body, { cookie })).status;
}

const ATTACKER = { sub: 'attacker', email: 'attacker@evil.example' };

/** How a stranger gets an account with a foreign address and an own account of a provider, once its link is opened. */
const WAYS: [string, typeof ATTACKER, () => Promise<unknown>][] = [
  [
    'with a password, and has connected an account',
    ATTACKER,
    async () => {
      const stranger = await app.signedUp(VICTIM);
      evil.signInAs(ATTACKER);
      const browser = new SocialBrowser(app);
      const json = { 'content-type': 'application/json', ...stranger.bearer };
      const asked = await browser.open('/auth/social/evil/connect', { method: 'POST', body: '{}', headers: json });
      await browser.open((await browser.visit(new URL(JSON.parse(asked.html).url))).href);
    },
  ],
  [
    'at a provider that lies about the address',
    { ...ATTACKER, email: VICTIM },
    () => signIn(evil, { ...ATTACKER, email: VICTIM }),
  ],
  [
    'with another address, and has changed it',
    ATTACKER,
    async () => {
      const { browser } = await signIn(evil, ATTACKER);
      await openLink(ATTACKER.email, '/auth/');
      const client = await browser.client();
      const { status } = await client.send('POST', '/auth/email/change', { email: VICTIM }, client.bearer);
      expect(status).toBe(202);
    },
  ],
];

test.each(WAYS)(
  'a password reset takes the account back from a stranger who signed up %s, also if a scanner has opened the link',
  async (_how, attacker, prepare) => {
    await start();
    const disconnected: unknown[] = [];
    await prepare();
    app.auth.events.on('provider.disconnected', (event) => disconnected.push(event));
    await openLink(VICTIM, '/auth/');
    const before = (await linksOf(app)).map(({ provider, user }) => [provider, user]);
    expect(before).toEqual([['evil', VICTIM]]);

    expect(await reset()).toBe(200);

    expect(await linksOf(app)).toEqual([]);
    expect(disconnected).toMatchObject([{ provider: 'evil', by: 'mailbox-owner' }]);
    const { error, browser } = await signIn(evil, attacker);
    if (attacker.email === VICTIM) expect(error).toBe('email_already_registered');
    const account = await (await browser.client()).get('/auth/user');
    expect(account.body.email ?? 'nobody').not.toBe(VICTIM);
    expect((await app.client().login(VICTIM, OTHER)).status).toBe(200);
  },
);

test('after a password reset, the account of a trusted provider with the same address is connected again', async () => {
  await start();
  const owner = { sub: 'owner', email: VICTIM };
  await signIn(good, owner);
  expect(await reset()).toBe(200);
  expect(await linksOf(app)).toEqual([]);
  expect((await app.mailsTo(VICTIM, 3)).map(({ subject }) => subject)).toContain(
    'A way to sign in was removed from your account',
  );
  const { browser } = await signIn(good, owner);
  expect((await (await browser.client()).get('/auth/user')).body).toMatchObject({ email: VICTIM });
  expect(await linksOf(app)).toMatchObject([{ provider: 'good', user: VICTIM }]);
});

test.each(['none', 'optional'] as const)(
  'under %s, a trusted provider signs no user in to an account whose address a stranger has only claimed',
  async (emailVerification) => {
    await start(emailVerification);
    await signIn(evil, { sub: 'attacker', email: VICTIM });
    expect((await signIn(good, { sub: 'owner', email: VICTIM })).error).toBe('email_already_registered');
    expect(await linksOf(app)).toMatchObject([{ provider: 'evil' }]);
    expect(await reset()).toBe(200);
    expect(await linksOf(app)).toEqual([]);
    expect((await signIn(evil, { sub: 'attacker', email: VICTIM })).error).toBe('email_already_registered');
  },
);

describe('under mandatory, a sign-up at a provider that lies about the address', () => {
  const LIAR = { sub: 'attacker', email: VICTIM };

  test('leaves the sign-up of the owner as it was: its link works, and so does its password', async () => {
    await start('mandatory');
    const owner = app.client();
    const { headers } = await owner.register(VICTIM);
    const cookie = headers.getSetCookie()[0]?.split(';')[0] ?? '';
    const first = await app.linkTo(VICTIM);
    expect((await signIn(evil, LIAR)).error).toBe('email_not_verified');
    const foreign = await app.linkTo(VICTIM, 2);

    // The browser of the owner gets a new link for its own sign-up.
    await app.client().send('POST', '/auth/registration/verification/resend', { email: VICTIM }, { cookie });
    const own = await app.linkTo(VICTIM, 3);
    expect((await app.open(first)).status).toBe(400);
    expect((await app.open(own)).status).toBe(200);
    expect((await owner.login(VICTIM)).status).toBe(200);

    expect((await app.open(foreign)).status).toBe(400);
    expect(await linksOf(app)).toEqual([]);
    expect((await signIn(evil, LIAR)).error).toBe('email_already_registered');
  });

  test('makes no user before its own link is opened, and then connects the account', async () => {
    await start('mandatory');
    const events: unknown[] = [];
    app.auth.events.on('user.registered', ({ method }) => events.push(method));
    app.auth.events.on('provider.connected', ({ provider }) => events.push(provider));
    const user = { sub: 'new', email: VICTIM, givenName: 'Vera' };
    expect((await signIn(evil, user)).error).toBe('email_not_verified');
    const link = await app.linkTo(VICTIM);
    const users = async () => (await app.database.pool.query('select email, first_name from app_user')).rows;
    expect([await users(), await linksOf(app), events]).toEqual([[], [], []]);

    expect((await app.open(link)).status).toBe(200);
    expect(await users()).toEqual([{ email: VICTIM, first_name: 'Vera' }]);
    expect(await linksOf(app)).toMatchObject([{ provider: 'evil', sub: 'new', user: VICTIM }]);
    expect(events).toEqual(['evil', 'evil']);
    expect((await signIn(evil, user)).error).toBeUndefined();
    expect(app.sink.mails.map(({ subject }) => subject)).toHaveLength(1);
  });

  test('makes no user if the account was connected to another user meanwhile', async () => {
    await start('mandatory');
    await signIn(evil, { sub: 'one', email: VICTIM });
    const link = await app.linkTo(VICTIM);
    await signIn(evil, { sub: 'one', email: 'other@example.com' });
    expect((await app.open(await app.linkTo('other@example.com'))).status).toBe(200);

    expect((await app.open(link)).status).toBe(409);
    expect(await linksOf(app)).toMatchObject([{ sub: 'one', user: 'other@example.com' }]);
    expect((await app.database.pool.query('select email from app_user')).rows).toEqual([
      { email: 'other@example.com' },
    ]);
  });

  test('mails a notice in place of the link if the address was taken at the same moment', async () => {
    const beforeSignUp = async () => {
      await createPerson(app, { email: VICTIM });
    };
    await start('mandatory', { auth: { hooks: { beforeSignUp } } });
    expect((await signIn(evil, LIAR)).error).toBe('email_not_verified');
    const [mail] = await app.mailsTo(VICTIM);
    expect(mail?.text).not.toContain('/registration/verification/');
    expect(await linksOf(app)).toEqual([]);
  });
});

test('an address that only looks like one of a user after its normalisation is another mailbox', async () => {
  await start();
  await signIn(good, { sub: 'kate', email: 'kate@example.com' });
  const kelvin = { sub: 'other-kate', email: '\u212aate@example.com' };
  expect((await signIn(good, kelvin)).error).toBe('provider_email_not_verified');
  expect((await signIn(good, { sub: 'kate-2', email: ' KATE@EXAMPLE.COM ' })).error).toBeUndefined();
  expect((await linksOf(app)).map(({ sub }) => sub)).toEqual(['kate', 'kate-2']);
});

test('the mail that asks to confirm an address has the time of the sign-up', async () => {
  await start();
  await signIn(evil, { sub: 'attacker', email: VICTIM });
  const [mail] = await app.mailsTo(VICTIM);
  expect(mail?.text?.replace(/\s+/g, ' ')).toMatch(/with this address, at \d{4}-\d\d-\d\d \d\d:\d\d UTC/);
});
