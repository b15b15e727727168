import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { MailApp } from '../../support/mail-app.js';
import { type Breakdown, type Fault, MisbehavingProvider } from '../../support/misbehaving-provider.js';
import { createSocialApp, linksOf, SocialBrowser, trusted } from '../../support/social-app.js';

const HOME = 'http://accounts.test/';

let provider: MisbehavingProvider;
let other: MisbehavingProvider;
let app: MailApp;
let count = 0;

beforeAll(async () => {
  provider = await new MisbehavingProvider().listen();
  other = await new MisbehavingProvider('Other').listen();
  app = await createSocialApp({ providers: [trusted(provider), trusted(other, 'other')] });
});
afterAll(async () => {
  await app.close();
  await provider.close();
  await other.close();
});
afterEach(() => {
  provider.fault = undefined;
  provider.broken.clear();
  provider.isProfileInUserInfo = false;
  app.log.splice(0);
});

/** A user of the provider whom the app does not know yet. */
function newPerson() {
  const user = { sub: `sub-${++count}`, email: `person${count}@example.com` };
  provider.signInAs(user);
  return user;
}

/** Whether a sign-in has left anything behind. */
async function traces({ email, sub }: { email: string; sub: string }) {
  const { rows } = await app.database.pool.query('select 1 from app_user where email = $1', [email]);
  return [rows.length, (await linksOf(app)).filter((link) => link.sub === sub).length];
}

const logged = () => app.log.filter(({ message }) => message === 'sign-in with a provider failed');

describe('a provider that breaks a rule of OpenID Connect', () => {
  test.each<Fault>([
    'nonce',
    'no nonce',
    'issuer',
    'audience',
    'two audiences',
    'expired',
    'issued in the future',
    'no sub',
    'signature',
    'foreign key',
    'alg none',
    'HS256 with the public key',
    'HS256 with the client secret',
    'another sub in userinfo',
    'no id token',
    'no issuer in the answer',
    'another issuer in the answer',
  ])('opens no session: %s', async (fault) => {
    const user = newPerson();
    provider.fault = fault;
    const browser = new SocialBrowser(app);
    const landing = await browser.signIn();
    expect([landing.status, landing.location]).toEqual([303, `${HOME}?error=provider_refused#status=401`]);
    expect(browser.jar.all.map(({ name }) => name)).toEqual(['social_browser']);
    expect(await traces(user)).toEqual([0, 0]);
    expect(logged()).toMatchObject([{ level: 'warn', provider: 'test', code: 'provider_refused' }]);
    expect(JSON.stringify(logged())).not.toMatch(new RegExp(`${user.email}|eyJ`));
    // The same user signs in once the provider behaves.
    provider.fault = undefined;
    expect((await browser.signIn()).location).toBe(HOME);
    expect(await traces(user)).toEqual([1, 1]);
  });

  test('with an issuer in its metadata that is not the configured one is not used', async () => {
    const liar = await new MisbehavingProvider().listen();
    liar.fault = 'another issuer in the metadata';
    const ofLiar = await createSocialApp({ providers: [trusted(liar)] });
    const { status, location } = await new SocialBrowser(ofLiar).signIn();
    expect([status, location]).toEqual([303, `${HOME}?error=provider_refused#status=401`]);
    await ofLiar.close();
    await liar.close();
  });

  test('cannot answer for another provider: its code is not sent there, and its answer ends the sign-in', async () => {
    const user = newPerson();
    const browser = new SocialBrowser(app);
    const at = await browser.start('test');
    // The attacker's provider `other` got the visitor, and sends the code of the honest one to its own callback.
    const callback = await browser.visit(at);
    const before = other.requests.filter((each) => each.includes('/token')).length;
    const mixed = callback.href.replace('/social/test/', '/social/other/');
    expect((await browser.open(mixed)).status).toBe(400);
    expect(other.requests.filter((each) => each.includes('/token'))).toHaveLength(before);
    expect((await browser.open(callback.href)).status).toBe(400); // the state is used up
    expect(await traces(user)).toEqual([0, 0]);

    const again = await browser.visit(await browser.start('test'));
    again.searchParams.set('iss', other.issuer);
    expect((await browser.open(again.href)).location).toBe(`${HOME}?error=provider_refused#status=401`);
    expect(await traces(user)).toEqual([0, 0]);
  });

  test('that signs with a new key is accepted at once if it publishes the key, and only then', async () => {
    newPerson();
    expect((await new SocialBrowser(app).signIn()).location).toBe(HOME);
    provider.rotateKey();
    newPerson();
    expect((await new SocialBrowser(app).signIn()).location).toBe(HOME);
    const user = newPerson();
    provider.rotateKey(false);
    expect((await new SocialBrowser(app).signIn()).location).toBe(`${HOME}?error=provider_refused#status=401`);
    expect(await traces(user)).toEqual([0, 0]);
    provider.rotateKey();
    expect((await new SocialBrowser(app).signIn()).location).toBe(HOME);
  });

  test('that answers `access_denied` or any other error sends the visitor back to the app', async () => {
    provider.deny();
    const browser = new SocialBrowser(app);
    const { location, query } = await browser.signIn('test', { returnTo: '/welcome?a=b' });
    expect([location, query]).toEqual([
      `${HOME}welcome?a=b&error=provider_refused#status=401`,
      { a: 'b', error: 'provider_refused' },
    ]);
    const state = (await browser.start()).searchParams.get('state') ?? '';
    const hostile = new URLSearchParams({ error: '<script>', error_description: '"><b>', error_uri: 'javascript:1' });
    const answer = await browser.open(`/auth/social/test/callback?${hostile}&state=${state}&iss=${provider.issuer}`);
    expect(answer.location).toBe(`${HOME}?error=provider_refused#status=401`);
    expect(JSON.stringify(app.log)).not.toContain('script>');
  });
});

describe('a provider that fails', () => {
  const UNAVAILABLE = `${HOME}?error=provider_unavailable#status=503&retry_after=5`;

  test.each<[string, Breakdown, RegExp]>([
    ['/token', '500', /=provider_unavailable#status=503&retry_after=5$/],
    ['/token', 'broken JSON', /=provider_(refused#status=401|unavailable#status=503&retry_after=5)$/],
    ['/token', 'a page', /=provider_(refused#status=401|unavailable#status=503&retry_after=5)$/],
    ['/token', 'reset', /=provider_unavailable#status=503&retry_after=5$/],
    ['/token', 'redirect', /=provider_(refused#status=401|unavailable#status=503&retry_after=5)$/],
    ['/userinfo', '500', /=provider_unavailable#status=503&retry_after=5$/],
    ['/userinfo', 'broken JSON', /=provider_(refused#status=401|unavailable#status=503&retry_after=5)$/],
  ])('at %s (%s) opens no session, and answers no 500', async (path, breakdown, error) => {
    const user = newPerson();
    provider.isProfileInUserInfo = true;
    provider.broken.set(path, breakdown);
    const { status, location } = await new SocialBrowser(app).signIn();
    expect([status, location]).toEqual([303, expect.stringMatching(error)]);
    expect(await traces(user)).toEqual([0, 0]);
    expect(app.log.filter(({ level }) => level === 'error')).toEqual([]);
    provider.broken.clear();
    expect((await new SocialBrowser(app).signIn()).location).toBe(HOME);
  });

  test('and never answers is abandoned after five seconds', async () => {
    newPerson();
    provider.broken.set('/token', 'silent');
    const start = performance.now();
    expect((await new SocialBrowser(app).signIn()).location).toBe(UNAVAILABLE);
    expect(performance.now() - start).toBeLessThan(9000);
  });

  test.each(['/token', '/.well-known/openid-configuration', '/jwks'])(
    'and answers without an end at %s is cut off',
    async (path) => {
      const endless = await new MisbehavingProvider().listen();
      endless.signInAs({ sub: 'x', email: 'endless@example.com' });
      endless.broken.set(path, 'endless');
      const ofEndless = await createSocialApp({ providers: [trusted(endless)] });
      const { status, location } = await new SocialBrowser(ofEndless).signIn();
      expect([status, location]).toEqual([
        303,
        expect.stringMatching(/\?error=provider_(refused#status=401|unavailable#.*)$/),
      ]);
      expect(endless.bytesSent).toBeLessThan(16 * 1024 * 1024);
      await ofEndless.close();
      await endless.close();
    },
  );

  test('when the app starts breaks neither the start, nor other providers, nor the sign-in with a password', async () => {
    const down = await new MisbehavingProvider().listen();
    const entry = trusted(down, 'down');
    const { port } = new URL(down.issuer);
    await down.close();
    const ofDown = await createSocialApp({ providers: [entry, trusted(provider)] });
    newPerson();
    expect((await new SocialBrowser(ofDown).signIn('test')).location).toBe(HOME);
    const start = await new SocialBrowser(ofDown).open('/auth/social/down?returnTo=/in');
    expect([start.status, start.location]).toEqual([
      303,
      `${HOME}in?error=provider_unavailable#status=503&retry_after=5`,
    ]);
    await ofDown.signedUp('ada@example.com');
    expect((await ofDown.client().login('ada@example.com')).status).toBe(200);
    const token = (idToken: string) => ofDown.client().send('POST', '/auth/social/down/token', { idToken, nonce: 'n' });
    expect((await token('a.b.c')).status).toBe(401);
    const claims = Buffer.from(JSON.stringify({ aud: entry.clientId, nonce: 'n' })).toString('base64url');
    const unavailable = await token(`e30.${claims}.x`);
    expect([unavailable.body.code, unavailable.headers.get('retry-after')]).toEqual(['provider_unavailable', '5']);
    // It comes back, without a restart of the app.
    const up = await new MisbehavingProvider().listen(Number(port));
    Object.assign(up.client, { id: entry.clientId, secret: entry.clientSecret });
    up.signInAs({ sub: 'up', email: 'up@example.com' });
    expect((await new SocialBrowser(ofDown).signIn('down')).location).toBe(HOME);
    await ofDown.close();
    await up.close();
  });
});
