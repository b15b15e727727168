import { createHash, generateKeyPairSync } from 'node:crypto';
import { createLocalJWKSet, exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { apple, github, gitlab, google, microsoft } from '../../../src/features/social/index.js';
import { namesOf } from '../../../src/features/social/providers/open-id-profile.js';
import type { MailApp } from '../../support/mail-app.js';
import { createPerson } from '../../support/person.js';
import { Browser, createSocialApp, HOME } from './tiny-issuer-app.js';

const TENANT = '11111111-2222-4333-8444-555555555555';
const appleKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const client = { clientId: 'client', clientSecret: 'client-secret' };

/** What the world outside answers: claims of the next ID token, and of GitHub's API. */
const world = {
  claims: {} as Record<string, unknown>,
  nonce: '',
  github: {} as Record<string, unknown>,
  requests: [] as { url: string; body: URLSearchParams; headers: Headers }[],
};
const issuerOf: Record<string, string> = {
  'https://accounts.google.com': 'https://accounts.google.com',
  'https://gitlab.com': 'https://gitlab.com',
  'https://appleid.apple.com': 'https://appleid.apple.com',
  'https://login.microsoftonline.com/common/v2.0': 'https://login.microsoftonline.com/{tenantid}/v2.0',
};
const keys = await generateKeyPair('RS256');
const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'one', use: 'sig' };

async function answer(url: string, options: RequestInit): Promise<Response> {
  const body = new URLSearchParams(String(options.body ?? ''));
  world.requests.push({ url, body, headers: new Headers(options.headers) });
  const [base, isDiscovery] = url.split('/.well-known/openid-configuration');
  if (isDiscovery !== undefined) {
    const at = `${base}/own`;
    return Response.json({
      issuer: issuerOf[base ?? ''],
      authorization_endpoint: `${at}/authorize`,
      token_endpoint: `${at}/token`,
      jwks_uri: `${at}/keys`,
      token_endpoint_auth_methods_supported: ['client_secret_post'],
    });
  }
  if (url.endsWith('/keys')) return Response.json({ keys: [jwk] });
  if (url.endsWith('/token')) {
    const now = Math.floor(app.clock.now() / 1000);
    const claims = { aud: 'client', iat: now, exp: now + 60, nonce: world.nonce, ...world.claims };
    const id_token = await new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'one' }).sign(keys.privateKey);
    return Response.json({ access_token: 'access', token_type: 'Bearer', id_token });
  }
  if (url === 'https://github.com/login/oauth/access_token')
    return Response.json({ access_token: 'github-access', token_type: 'bearer', scope: 'read:user,user:email' });
  if (world.github[url]) return Response.json(world.github[url]);
  return new Response('{}', { status: 404 });
}

let app: MailApp;
let browser: Browser;
let sub = '';
let count = 0;

beforeAll(async () => {
  const privateKey = appleKey.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const providers = [
    google({ ...client, nativeClientIds: ['ios-client'] }),
    microsoft(client),
    gitlab(client),
    github(client),
    apple({ clientId: 'client', teamId: 'TEAM', keyId: 'KEY', privateKey }),
  ];
  app = await createSocialApp({ providers, fetch: answer });
});
afterAll(() => app.close());
beforeEach(() => {
  sub = `somebody-${++count}`;
  world.claims = {};
  world.requests = [];
  browser = new Browser(app);
});

/** Begins a sign-in. @returns the provider's URL, and the callback with an answer */
async function begin(provider: string): Promise<{ url: URL; callback: string }> {
  const { location } = await browser.open(`/auth/social/${provider}`);
  const url = new URL(location ?? '');
  world.nonce = url.searchParams.get('nonce') ?? '';
  const query = new URLSearchParams({ code: 'code', state: url.searchParams.get('state') ?? '' });
  return { url, callback: `${HOME}auth/social/${provider}/callback?${query}` };
}

async function signIn(provider: string): Promise<string | null> {
  return (await browser.open((await begin(provider)).callback)).location;
}

const stored = async () => {
  const { rows } = await app.database.pool.query(
    `select a.provider, a.issuer, a.sub, u.email, u.email_verified as verified, u.first_name as first, u.last_name as last
     from auth_social_account a join app_user u on u.id = a.user_id where a.sub = $1`,
    [sub],
  );
  return rows;
};

describe('Google', () => {
  test('is trusted for addresses', async () => {
    world.claims = {
      iss: 'https://accounts.google.com',
      sub,
      email: `${sub}@gmail.com`,
      email_verified: true,
      name: 'Ada',
    };
    expect(await signIn('google')).toBe(HOME);
    expect(await stored()).toEqual([
      {
        provider: 'google',
        issuer: 'https://accounts.google.com',
        sub,
        email: `${sub}@gmail.com`,
        verified: true,
        first: 'Ada',
        last: '',
      },
    ]);
  });
});

describe('an address that Google has verified', () => {
  const google = (email: string, more: object = {}) => {
    world.claims = { iss: 'https://accounts.google.com', sub, email, email_verified: true, ...more };
    return signIn('google');
  };

  test.each([
    ['example.com', {}, false],
    ['gmail.com.example', {}, false],
    ['gmail.com', {}, true],
    ['GoogleMail.com', {}, true],
    ['example.com', { hd: 'example.com' }, true],
    ['example.com', { hd: '' }, false],
  ])('of %s with the claims %j is trusted only if Google hosts it (trusted: %s)', async (domain, more, isTrusted) => {
    // Another person has the mailbox now, and has confirmed it here.
    const email = `mailbox-${count}@${domain.toLowerCase()}`;
    await createPerson(app, { email });
    const end = await google(`mailbox-${count}@${domain}`, more);
    expect(end).toBe(isTrusted ? HOME : `${HOME}?error=email_already_registered#status=409`);
    expect((await stored()).map(({ email }) => email)).toEqual(isTrusted ? [email] : []);
  });

  test('is not confirmed for a new user if Google does not host it', async () => {
    expect(await google(`${sub}@example.com`)).toBe(HOME);
    expect(await stored()).toMatchObject([{ email: `${sub}@example.com`, verified: false }]);
  });
});

test.each([
  [true, HOME],
  [false, `${HOME}?error=email_already_registered#status=409`],
])('the setting trustEmail=%s of Google applies to all addresses', async (trustEmail, end) => {
  const own = await createSocialApp({ providers: [google({ ...client, trustEmail })], fetch: answer });
  browser = new Browser(own);
  const email = `mailbox-${count}@${trustEmail ? 'example' : 'gmail'}.com`;
  await createPerson(own, { email });
  world.claims = { iss: 'https://accounts.google.com', sub, email, email_verified: true };
  expect(await signIn('google')).toBe(end);
  await own.close();
});

test('a name with a million spaces is split quickly', () => {
  expect(namesOf(`Ada${' '.repeat(1_000_000)}Lovelace`)).toEqual({ firstName: 'Ada', lastName: undefined });
  expect(namesOf(`  Ada  King  Lovelace ${' '.repeat(1_000_000)}`)).toEqual({
    firstName: 'Ada',
    lastName: 'King  Lovelace',
  });
});

describe('GitLab', () => {
  test('is not trusted for addresses', async () => {
    world.claims = { iss: 'https://gitlab.com', sub, email: `${sub}@example.com`, email_verified: true };
    expect(await signIn('gitlab')).toBe(HOME);
    expect(await stored()).toMatchObject([{ provider: 'gitlab', verified: false }]);
  });
});

describe('Microsoft', () => {
  const iss = `https://login.microsoftonline.com/${TENANT}/v2.0`;

  test('has the issuer of the tenant, and only xms_edov verifies an address', async () => {
    world.claims = { iss, tid: TENANT, sub, email: `${sub}@example.com`, email_verified: true };
    expect(await signIn('microsoft')).toBe(`${HOME}?error=provider_email_not_verified#status=403`);
    for (const edov of [false, 0, '0', 'no', null]) {
      world.claims['xms_edov'] = edov;
      expect(await signIn('microsoft')).toBe(`${HOME}?error=provider_email_not_verified#status=403`);
    }
    world.claims['xms_edov'] = '1';
    expect(await signIn('microsoft')).toBe(HOME);
    expect(await stored()).toMatchObject([{ provider: 'microsoft', issuer: iss, verified: false }]);
  });

  test('is refused if the issuer is not that of the tenant', async () => {
    const other = '99999999-2222-4333-8444-555555555555';
    for (const claims of [{ tid: other }, { tid: undefined }, { tid: TENANT, iss: 'https://evil.example' }]) {
      world.claims = { iss, sub, email: `${sub}@example.com`, xms_edov: true, ...claims };
      expect(await signIn('microsoft')).toBe(`${HOME}?error=provider_refused#status=401`);
    }
    expect(await stored()).toEqual([]);
  });
});

describe('Apple', () => {
  const iss = 'https://appleid.apple.com';

  test('gets a signed client secret, and answers with a form that has the name', async () => {
    const { url, callback } = await begin('apple');
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      response_mode: 'form_post',
      scope: 'openid name email',
    });
    world.claims = { iss, sub, email: `${sub}@privaterelay.appleid.com`, email_verified: 'true' };
    const body = new URL(callback).searchParams;
    body.set('user', JSON.stringify({ name: { firstName: 'Ada', lastName: 'Lovelace' }, email: 'other@example.com' }));
    body.set('id_token', 'a.b.c');
    const posted = await new Browser(app).open(callback.split('?')[0] ?? '', {
      method: 'POST',
      body,
      headers: { origin: iss },
    });
    expect(posted.status).toBe(303);
    const moved = new URL(posted.location ?? '');
    expect([...moved.searchParams.keys()].toSorted()).toEqual(['code', 'state', 'user']);
    expect(moved.href).not.toContain('other%40example.com');
    expect((await browser.open(moved.href)).location).toBe(HOME);
    expect(await stored()).toMatchObject([{ first: 'Ada', last: 'Lovelace', verified: true }]);
    const { body: sent } = world.requests.find(({ url: each }) => each.endsWith('/token')) ?? { body: body };
    const key = createLocalJWKSet({ keys: [{ ...(await exportJWK(appleKey.publicKey)), kid: 'KEY', alg: 'ES256' }] });
    const { payload, protectedHeader } = await jwtVerify(sent.get('client_secret') ?? '', key, {
      currentDate: new Date(app.clock.now()),
    });
    expect(protectedHeader).toMatchObject({ alg: 'ES256', kid: 'KEY' });
    expect(payload).toMatchObject({ iss: 'TEAM', sub: 'client', aud: iss, exp: Number(payload.iat) + 300 });
  });

  test('cannot choose the address with the form', async () => {
    world.claims = { iss, sub, email: `${sub}@icloud.com`, email_verified: true };
    const { callback } = await begin('apple');
    const user = encodeURIComponent(JSON.stringify({ name: 7, email: 'victim@example.com' }));
    expect((await browser.open(`${callback}&user=${user}`)).location).toBe(HOME);
    expect(await stored()).toMatchObject([{ email: `${sub}@icloud.com`, first: '' }]);
  });

  test('does not redirect the form of an unknown provider', async () => {
    for (const path of ['nobody', '%0d%0aa', '..%2f..%2fevil']) {
      const answered = await browser.open(`/auth/social/${path}/callback`, {
        method: 'POST',
        body: new URLSearchParams(),
      });
      expect([answered.status, answered.location]).toEqual([400, null]);
    }
  });

  test('needs a P-256 key', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' });
    for (const privateKey of ['', 'secret words', rsa as string]) {
      const make = () => apple({ clientId: 'client', teamId: 'TEAM', keyId: 'KEY', privateKey });
      expect(make).toThrow('apple: privateKey must be the content of the .p8 file, a P-256 key in PEM');
    }
  });
});

describe('GitHub', () => {
  const emails = 'https://api.github.com/user/emails';

  test('names the account by its number, and the primary address if it is verified', async () => {
    sub = '4217';
    world.github = {
      'https://api.github.com/user': { id: 4217, login: 'ada', name: 'Ada King Lovelace', email: 'public@example.com' },
      [emails]: [
        { email: 'second@example.com', primary: false, verified: true },
        { email: 'Ada.Hub@Example.com', primary: true, verified: true },
      ],
    };
    const { url, callback } = await begin('github');
    expect(url.origin + url.pathname).toBe('https://github.com/login/oauth/authorize');
    expect(url.searchParams.get('nonce')).toBeNull();
    const iss = encodeURIComponent('https://github.com/login/oauth');
    expect((await browser.open(`${callback}&iss=${iss}`)).location).toBe(HOME);
    expect(await stored()).toEqual([
      {
        provider: 'github',
        issuer: 'https://github.com/login/oauth',
        sub,
        email: 'ada.hub@example.com',
        verified: false,
        first: 'Ada',
        last: 'King Lovelace',
      },
    ]);
    const asked = world.requests.filter(({ url: each }) => each.startsWith('https://api.github.com'));
    expect(asked.map(({ headers }) => headers.get('authorization'))).toEqual(Array(2).fill('Bearer github-access'));
  });

  test.each([
    [
      'an address that is not verified',
      { id: 1 },
      [{ email: 'a@example.com', primary: true, verified: false }],
      'provider_email_not_verified',
      403,
    ],
    ['no primary address', { id: 2 }, [{ email: 'a@example.com', verified: true }], 'provider_email_not_verified', 403],
    ['no addresses', { id: 3 }, {}, 'provider_email_not_verified', 403],
    ['a login in place of a number', { id: 'ada' }, [], 'provider_refused', 401],
    ['nothing', null, [], 'provider_refused', 401],
    ['no answer', undefined, [], 'provider_refused', 401],
  ])('is refused with %s', async (_what, user, list, code, status) => {
    world.github = { 'https://api.github.com/user': user, [emails]: list };
    if (user === null) world.github['https://api.github.com/user'] = [];
    expect(await signIn('github')).toBe(`${HOME}?error=${code}#status=${status}`);
  });

  test('has no native sign-in', async () => {
    const answered = await app.client().send('POST', '/auth/social/github/token', { idToken: 'a.b.c', nonce: 'n' });
    expect([answered.status, answered.body.code]).toEqual([404, 'provider_not_found']);
  });
});

describe('an ID token of a native app', () => {
  const idToken = async (claims: object, header: object = {}) => {
    const now = Math.floor(app.clock.now() / 1000);
    const all = { iss: 'https://accounts.google.com', sub, iat: now, exp: now + 60, ...claims };
    return new SignJWT({ email: `${sub}@gmail.com`, email_verified: true, ...all })
      .setProtectedHeader({ alg: 'RS256', kid: 'one', ...header })
      .sign(keys.privateKey);
  };
  const sha256 = (encoding: 'hex' | 'base64url') => createHash('sha256').update('app-nonce').digest(encoding);
  const send = (token: string, nonce = 'app-nonce') =>
    app.client().send('POST', '/auth/social/google/token', { idToken: token, nonce });

  test('signs in once, for each of the client ids, with the nonce or its hash', async () => {
    for (const claims of [
      { aud: 'client', nonce: 'app-nonce' },
      { aud: 'ios-client', nonce: 'app-nonce', azp: 'ios-client' },
      { aud: 'client', nonce: sha256('hex') },
      { aud: 'client', nonce: sha256('base64url') },
    ]) {
      const token = await idToken({ ...claims, jti: Math.random().toString() });
      const first = await send(token);
      expect([first.status, Boolean(first.cookie)]).toEqual([200, true]);
      expect(await send(token)).toMatchObject({ status: 401, body: { code: 'provider_refused' } });
    }
    for (const claims of [
      { aud: 'client', nonce: 'another' },
      { aud: 'client' },
      { aud: 'somebody', nonce: 'app-nonce' },
      { aud: ['client', 'somebody'], nonce: 'app-nonce' },
      { aud: 'client', nonce: 'app-nonce', iss: 'https://evil.example' },
      { aud: 'client', nonce: 'app-nonce', exp: 1 },
    ]) {
      expect(await send(await idToken(claims))).toMatchObject({ status: 401, body: { code: 'provider_refused' } });
    }
    expect(await send(await idToken({ aud: 'client', nonce: '' }), '')).toMatchObject({ status: 401 });
    for (const broken of ['', 'a', 'a.b.c', `${'a'.repeat(20_000)}.b.c`])
      expect(await send(broken)).toMatchObject({ status: 401, body: { code: 'provider_refused' } });
  });

  test('with an unknown key id causes only a limited number of downloads of the keys', async () => {
    const claims = { aud: 'client', nonce: 'app-nonce' };
    for (let each = 0; each < 20; each++) await send(await idToken(claims, { kid: `unknown-${each}` }));
    const downloads = world.requests.filter(({ url }) => url === 'https://accounts.google.com/own/keys');
    expect(downloads.length).toBeLessThanOrEqual(6);
    expect((await send(await idToken(claims))).status).toBe(200);
  });

  test('is forgotten by purge once it has expired', async () => {
    const count = async () =>
      (await app.database.pool.query('select count(*)::int as n from auth_social_used_token')).rows[0].n;
    await send(await idToken({ aud: 'client', nonce: 'app-nonce' }));
    expect(await count()).toBeGreaterThan(0);
    app.clock.advance(3600);
    expect(await app.auth.purge.run()).toMatchObject({ socialUsedTokens: expect.any(Number) });
    expect(await count()).toBe(0);
  });

  test('that expires in the very distant future causes no 500, and works once', async () => {
    for (const exp of [1e15, 1e300]) {
      const token = await idToken({ aud: 'client', nonce: 'app-nonce', exp });
      expect([(await send(token)).status, (await send(token)).status]).toEqual([200, 401]);
    }
  });
});
