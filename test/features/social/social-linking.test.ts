import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestProvider, type TestProvider } from '../../../src/features/social/testing/index.js';
import type { MailApp } from '../../support/mail-app.js';
import { createPerson } from '../../support/person.js';
import { createSocialApp, linksOf, SocialBrowser, trusted } from '../../support/social-app.js';
import { PASSWORD } from '../../support/test-client.js';

const HOME = 'http://accounts.test/';
const OTHER = 'another sentence of some length';

let good: TestProvider;
let poor: TestProvider;
/** Addresses need not be confirmed. */
let app: MailApp;
/** Addresses must be confirmed, and people can be invited. */
let strict: MailApp;
let count = 0;
let email: string;

beforeAll(async () => {
  [good, poor] = await Promise.all([startTestProvider(), startTestProvider()]);
  const providers = [trusted(good, 'good'), trusted(poor, 'poor', { trustEmail: false })];
  app = await createSocialApp({ providers });
  strict = await createSocialApp({ providers }, { emailVerification: 'mandatory', invitations: true });
});
afterAll(async () => {
  await app.close();
  await strict.close();
  await good.close();
  await poor.close();
});
beforeEach(() => {
  email = `linking${++count}@example.com`;
});

/** Signs in at a provider in a new browser. */
async function signIn(
  at: MailApp,
  id: 'good' | 'poor',
  user: { emailVerified?: boolean; sub?: string; email?: string },
) {
  const provider = id === 'good' ? good : poor;
  provider.signInAs({ email, sub: `${id}-${email}`, ...user });
  const browser = new SocialBrowser(at);
  const landing = await browser.signIn(id);
  const isSignedIn = browser.jar.all.some(({ name }) => name === 'refresh_token');
  return { browser, location: landing.location, isSignedIn, error: landing.query['error'] };
}

const refused = (error: 'sign_up_not_allowed' | 'provider_email_not_verified' | `email_${string}`) => {
  const statuses: Readonly<Record<string, number>> = { email_not_verified: 401, email_already_registered: 409 };
  return { location: `${HOME}?error=${error}#status=${statuses[error] ?? 403}`, isSignedIn: false };
};
const SIGNED_IN = { location: HOME, isSignedIn: true, error: undefined };

const userOf = async (at: MailApp) => {
  const { rows } = await at.database.pool.query(
    'select id, email, email_verified, password_hash is not null as has_password from app_user where email = $1',
    [email],
  );
  return rows[0];
};
const linked = async (at: MailApp) =>
  (await linksOf(at)).filter(({ user }) => user === email).map(({ provider }) => provider);

describe('an account of a provider that is connected', () => {
  test('signs its user in by its sub, even after its address has changed', async () => {
    await signIn(app, 'good', {});
    const { id } = await userOf(app);
    const sub = `good-${email}`;
    for (const changed of [{ email: `moved-${email}` }, { email: undefined }, { emailVerified: false }]) {
      const answer = await signIn(app, 'good', { sub, ...changed });
      expect(answer).toMatchObject(SIGNED_IN);
      const client = await answer.browser.client();
      expect((await client.get('/auth/user')).body).toMatchObject({ id, email });
    }
    expect(await linked(app)).toEqual(['good']);
  });

  test('is another account than the same sub at another provider', async () => {
    await signIn(app, 'good', { sub: 'same' });
    const first = email;
    email = `second-${email}`;
    expect(await signIn(app, 'poor', { sub: 'same' })).toMatchObject(SIGNED_IN);
    expect([await linked(app), (await linksOf(app)).filter(({ user }) => user === first)]).toEqual([
      ['poor'],
      [{ provider: 'good', sub: 'same', user: first }],
    ]);
  });

  test('does not sign in a user who was deactivated', async () => {
    await signIn(app, 'good', {});
    await app.database.pool.query('update app_user set is_active = false where email = $1', [email]);
    expect(await signIn(app, 'good', {})).toMatchObject({ isSignedIn: false, error: 'no_active_account' });
  });
});

describe('a new account of a provider', () => {
  test('with a verified address of no user creates a user without a password', async () => {
    const answer = await signIn(app, 'good', {});
    expect(answer).toMatchObject(SIGNED_IN);
    expect(await userOf(app)).toMatchObject({ email_verified: true, has_password: false });
    expect(await linked(app)).toEqual(['good']);
  });

  test('of a provider that is not trusted creates a user whose address is not confirmed', async () => {
    expect(await signIn(app, 'poor', {})).toMatchObject(SIGNED_IN);
    expect(await userOf(app)).toMatchObject({ email_verified: false, has_password: false });
    // Where addresses must be confirmed, the user confirms it first.
    expect(await signIn(strict, 'poor', {})).toMatchObject(refused('email_not_verified'));
    await strict.open(await strict.linkTo(email));
    expect(await signIn(strict, 'poor', {})).toMatchObject(SIGNED_IN);
  });

  test.each([
    ['that is not verified', { emailVerified: false }],
    ['that it does not name', { email: undefined }],
  ])('with an address %s is refused, and nothing is stored', async (_, user) => {
    for (const id of ['good', 'poor'] as const) {
      expect(await signIn(app, id, user)).toMatchObject(refused('provider_email_not_verified'));
    }
    expect([await userOf(app), await linked(app)]).toEqual([undefined, []]);
  });

  test('is not linked by an address that is not verified, not even to its confirmed owner', async () => {
    await createPerson(app, { email });
    expect(await signIn(app, 'good', { emailVerified: false })).toMatchObject(refused('provider_email_not_verified'));
    expect(await linked(app)).toEqual([]);
  });

  test('is linked to the user who has confirmed the address, if the provider is trusted', async () => {
    const { id } = await createPerson(app, { email });
    const answer = await signIn(app, 'good', { email: email.toUpperCase() });
    expect(answer).toMatchObject(SIGNED_IN);
    expect((await (await answer.browser.client()).get('/auth/user')).body).toMatchObject({ id });
    expect(await linked(app)).toEqual(['good']);
    expect((await app.client().login(email)).status).toBe(200); // the password stays
    expect((await app.mailsTo(email)).at(-1)?.text).toContain('It can be used to sign in');
  });

  test('of a provider that is not trusted is never linked by its address', async () => {
    await createPerson(app, { email });
    expect(await signIn(app, 'poor', {})).toMatchObject(refused('email_already_registered'));
    expect(await linked(app)).toEqual([]);
  });

  test('is not linked to an account in use whose address was never confirmed', async () => {
    const client = await app.signedUp(email);
    for (const id of ['good', 'poor'] as const) {
      expect(await signIn(app, id, {})).toMatchObject(refused('email_already_registered'));
    }
    expect(await linked(app)).toEqual([]);
    expect([(await client.refresh()).status, (await app.client().login(email)).status]).toEqual([200, 200]);
  });

  test('creates no user where people cannot sign up, but still signs in those who are there', async () => {
    const closed = await createSocialApp(
      { providers: [trusted(good, 'good')] },
      { invitations: true, adminManagedRegistration: true },
    );
    expect(await signIn(closed, 'good', {})).toMatchObject(refused('sign_up_not_allowed'));
    expect(await userOf(closed)).toBeUndefined();
    await createPerson(closed, { email });
    expect(await signIn(closed, 'good', {})).toMatchObject(SIGNED_IN);
    await closed.close();
  });

  test('is refused by the hook of the app, which also fills fields of a new user', async () => {
    const trust: unknown[] = [];
    const hooked = await createSocialApp({
      providers: [trusted(good, 'good'), trusted(good, 'doubted', { trustEmail: false })],
      mapProfile: ({ email: address, claims, isEmailVerified, isEmailTrusted }) => {
        trust.push([isEmailVerified, isEmailTrusted]);
        if (address?.startsWith('banned')) throw Object.assign(new Error('no'), { httpCode: 403, code: 'banned' });
        return { firstName: String(claims['nickname']).slice(0, 20) };
      },
    });
    good.signInAs({ email, claims: { nickname: 'Countess' } });
    await new SocialBrowser(hooked).signIn('good');
    const { rows } = await hooked.database.pool.query('select first_name from app_user where email = $1', [email]);
    expect(rows).toEqual([{ first_name: 'Countess' }]);
    email = `banned-${email}`;
    expect((await signIn(hooked, 'good', {})).isSignedIn).toBe(false);
    expect(await userOf(hooked)).toBeUndefined();
    await new SocialBrowser(hooked).signIn('doubted');
    expect(trust).toEqual([
      [true, true],
      [true, true],
      [true, false],
    ]);
    await hooked.close();
  });
});

describe('a stranger who took an address first', () => {
  test('by a sign-up that was never confirmed loses it, with password, link and pending sign-in', async () => {
    expect((await strict.client().register(email)).status).toBe(201);
    const link = await strict.linkTo(email);
    expect(await signIn(strict, 'good', {})).toMatchObject(SIGNED_IN);
    expect(await userOf(strict)).toMatchObject({ email_verified: true, has_password: false });
    expect((await strict.client().login(email)).status).toBe(401);
    await strict.open(link);
    expect([await userOf(strict), (await strict.client().login(email)).status]).toMatchObject([
      { has_password: false },
      401,
    ]);
  });

  test('by an unconfirmed account in use keeps it until the owner proves the mailbox, and then loses everything', async () => {
    const attacker = await app.signedUp(email);
    expect(await signIn(app, 'good', {})).toMatchObject(refused('email_already_registered'));
    await app.client().send('POST', '/auth/password/reset', { email });
    const { cookies } = await app.open(await app.linkTo(email, 2));
    const cookie = [...cookies.values()][0]?.split(';')[0] ?? '';
    const path = '/auth/password/reset/set-new';
    expect((await app.client().send('POST', path, { newPassword: OTHER }, { cookie })).status).toBe(200);
    expect([(await attacker.refresh()).status, (await app.client().login(email)).status]).toEqual([401, 401]);
    expect(await signIn(app, 'good', {})).toMatchObject(SIGNED_IN); // the address is confirmed now
  });

  test('by a provider that is not trusted keeps nothing once the owner proves the mailbox', async () => {
    const attacker = await signIn(app, 'poor', { sub: `attacker-${email}` });
    const client = await attacker.browser.client();
    expect(await signIn(app, 'good', {})).toMatchObject(refused('email_already_registered'));
    await app.client().send('POST', '/auth/password/reset', { email });
    const { cookies } = await app.open(await app.linkTo(email, 2));
    const cookie = [...cookies.values()][0]?.split(';')[0] ?? '';
    const path = '/auth/password/reset/set-new';
    expect((await app.client().send('POST', path, { newPassword: OTHER }, { cookie })).status).toBe(200);
    expect([(await client.refresh()).status, await linked(app)]).toEqual([401, []]);
    expect(await signIn(app, 'poor', { sub: `attacker-${email}` })).toMatchObject(refused('email_already_registered'));
    expect(await signIn(app, 'good', {})).toMatchObject(SIGNED_IN);
    expect(await linked(app)).toEqual(['good']);
  });

  test('by a provider that is not trusted, where addresses must be confirmed, does not keep it from the owner', async () => {
    expect(await signIn(strict, 'poor', { sub: `attacker-${email}` })).toMatchObject(refused('email_not_verified'));
    const link = await strict.linkTo(email);
    expect(await signIn(strict, 'good', {})).toMatchObject(SIGNED_IN);
    expect((await strict.open(link)).status).toBe(400);
    expect(await linked(strict)).toEqual(['good']);
    expect(await signIn(strict, 'poor', { sub: `attacker-${email}` })).toMatchObject(
      refused('email_already_registered'),
    );
  });
});

describe('an invitation', () => {
  /** Invites the address. @returns the mailed link */
  async function invite(): Promise<string> {
    const staff = await createPerson(strict, { role: 900 });
    const { access } = await strict.auth.sessions.open({ id: staff.id });
    const answer = await strict
      .client()
      .send('POST', '/auth/registration/user-register', { email, role: 0 }, { authorization: `Bearer ${access}` });
    expect(answer.status).toBe(201);
    return strict.linkTo(email);
  }

  test('is accepted by a trusted provider, and its mailed link sets no password afterwards', async () => {
    const link = await invite();
    const { id } = await userOf(strict);
    const answer = await signIn(strict, 'good', {});
    expect(answer).toMatchObject(SIGNED_IN);
    expect(await userOf(strict)).toMatchObject({ id, email_verified: true, has_password: false });
    const { cookies } = await strict.open(link);
    const cookie = [...cookies.values()].map((each) => each.split(';')[0]).join('; ');
    const body = { newPassword: OTHER };
    const set = await strict.client().send('POST', '/auth/registration/set-password', body, { cookie });
    expect([set.status, await userOf(strict)]).toMatchObject([401, { has_password: false }]);
  });

  test('is not accepted by a provider that is not trusted, and stays open', async () => {
    const link = await invite();
    expect(await signIn(strict, 'poor', {})).toMatchObject(refused('email_already_registered'));
    expect(await linked(strict)).toEqual([]);
    const { cookies } = await strict.open(link);
    const cookie = [...cookies.values()].map((each) => each.split(';')[0]).join('; ');
    const body = { newPassword: PASSWORD };
    const set = await strict.client().send('POST', '/auth/registration/set-password', body, { cookie });
    expect(set.status).toBe(200);
    expect(await signIn(strict, 'good', {})).toMatchObject(SIGNED_IN);
  });

  test('to an address of an abandoned sign-up gives the stranger nothing', async () => {
    await strict.client().register(email);
    const stranger = await strict.linkTo(email);
    await invite();
    expect(await signIn(strict, 'good', {})).toMatchObject(SIGNED_IN);
    await strict.open(stranger);
    expect((await strict.client().login(email)).status).toBe(401);
    expect(await userOf(strict)).toMatchObject({ has_password: false });
  });
});
