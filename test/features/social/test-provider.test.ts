import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as oidc from 'openid-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { providersFault } from '../../../src/features/social/configured-provider.js';
import { github, oauth2Provider } from '../../../src/features/social/index.js';
import { startTestProvider, type TestProvider } from '../../../src/features/social/testing/index.js';

const ADA = { sub: 'ada-1', email: 'ada@example.com', name: 'Ada Lovelace', amr: ['pwd', 'mfa'] };
const CALLBACK = 'http://app.test/auth/social/test/callback';

let provider: TestProvider;
beforeEach(async () => {
  provider = await startTestProvider({ name: 'Ours & theirs' });
});
afterEach(() => provider.close());

/** The client of the provider's settings, in the library that is certified. */
function discover(auth?: oidc.ClientAuth): Promise<oidc.Configuration> {
  const { issuer, clientId, clientSecret } = provider.settings({ id: 'test' });
  return oidc.discovery(new URL(issuer), clientId, clientSecret, auth, { execute: [oidc.allowInsecureRequests] });
}

/** A flow of a client, up to the address at the provider. */
async function begin(config: oidc.Configuration, more: Record<string, string> = {}) {
  const [pkceCodeVerifier, expectedState] = [oidc.randomPKCECodeVerifier(), oidc.randomState()];
  const expectedNonce = oidc.randomNonce();
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK,
    scope: 'openid email profile',
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    nonce: expectedNonce,
    ...more,
  });
  return { url, checks: { pkceCodeVerifier, expectedState, expectedNonce } };
}

const callbackOf = async (answer: Response) => new URL(answer.headers.get('location') ?? '');
const visit = async (url: URL) => callbackOf(await fetch(url, { redirect: 'manual' }));

/** The fields of the only form of a page. */
const fieldsOf = (html: string) =>
  [...html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)].map(([, name = '', value = '']) => [
    name,
    value.replaceAll('&amp;', '&').replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>'),
  ]);

describe('the provider for tests', () => {
  test.each([
    ['in the body', oidc.ClientSecretPost],
    ['in a header', oidc.ClientSecretBasic],
  ])('signs its user in at a certified client, which sends its secret %s', async (_, method) => {
    const config = await discover(method());
    provider.signInAs(ADA);
    const { url, checks } = await begin(config);
    const tokens = await oidc.authorizationCodeGrant(config, await visit(url), checks);
    const about = { sub: 'ada-1', email: ADA.email, email_verified: true, name: ADA.name, amr: ADA.amr };
    expect(tokens.claims()).toMatchObject({ ...about, iss: provider.issuer, aud: 'test-client' });
    expect(await oidc.fetchUserInfo(config, tokens.access_token, 'ada-1')).toEqual(about);
  });

  test('requires PKCE and the right secret, and accepts each code once, at its own redirect URI', async () => {
    const config = await discover();
    provider.signInAs(ADA);
    const { url, checks } = await begin(config);
    const error = (refused: Promise<unknown>) => refused.catch((each) => each.error ?? String(each));
    const grant = (callback: URL, pkceCodeVerifier = checks.pkceCodeVerifier) =>
      error(oidc.authorizationCodeGrant(config, callback, { ...checks, pkceCodeVerifier }));

    const plain = new URL(url);
    plain.searchParams.set('code_challenge_method', 'plain');
    expect((await visit(plain)).searchParams.get('error')).toBe('invalid_request');
    expect(await grant(await visit(url), oidc.randomPKCECodeVerifier())).toBe('invalid_grant');
    const other = await visit(url);
    other.pathname = '/elsewhere';
    expect(await grant(other)).toBe('invalid_grant');
    const callback = await visit(url);
    expect(await grant(callback)).toMatchObject({ token_type: 'bearer' });
    expect(await grant(callback)).toBe('invalid_grant');
    const { issuer } = provider;
    const stranger = await oidc.discovery(new URL(issuer), 'test-client', 'guess', undefined, {
      execute: [oidc.allowInsecureRequests],
    });
    expect(await error(oidc.authorizationCodeGrant(stranger, await visit(url), checks))).toBe('invalid_client');
    expect((await fetch(`${issuer}/userinfo`, { headers: { authorization: 'Bearer guess' } })).status).toBe(401);
  });

  test('answers in a form that the browser posts, if the app asks for it', async () => {
    provider.signInAs(ADA);
    const { url, checks } = await begin(await discover(), { response_mode: 'form_post' });
    const html = await (await fetch(url)).text();
    expect(html).toContain(`<form method="post" action="${CALLBACK}">`);
    const expected = { code: expect.stringMatching(/^[\w-]{32}$/), state: checks.expectedState, iss: provider.issuer };
    expect(Object.fromEntries(fieldsOf(html))).toEqual(expected);
  });

  test('answers access_denied after `deny`', async () => {
    provider.deny();
    const { url, checks } = await begin(await discover());
    const expected = { error: 'access_denied', state: checks.expectedState, iss: provider.issuer };
    expect(Object.fromEntries((await visit(url)).searchParams)).toEqual(expected);
  });

  test('shows a page where the visitor enters a name and an address, unless the test has chosen the user', async () => {
    const config = await discover();
    const { url, checks } = await begin(config, { state: 'of the "app" <&>' });
    const html = await (await fetch(url)).text();
    expect(html).toContain('<h1>Ours &amp; theirs</h1>');
    const submit = async (fields: Record<string, string>) => {
      const body = new URLSearchParams([...fieldsOf(html), ...Object.entries(fields)] as [string, string][]);
      return callbackOf(await fetch(new URL('authorize', url), { method: 'POST', body, redirect: 'manual' }));
    };
    const expectedState = 'of the "app" <&>';
    const signIn = async (fields: Record<string, string>) => {
      const callback = await submit({ ...fields, user_decision: 'allow' });
      return (await oidc.authorizationCodeGrant(config, callback, { ...checks, expectedState })).claims();
    };
    const first = await signIn({ user_name: 'Ada', user_email: 'Ada@example.com', user_email_verified: 'true' });
    expect(first).toMatchObject({ name: 'Ada', email: 'Ada@example.com', email_verified: true });
    const second = await signIn({ user_name: '', user_email: 'ada@example.com' });
    expect(second).toMatchObject({ sub: first?.sub, email: 'ada@example.com', email_verified: false });
    expect(second).not.toHaveProperty('name');
    expect((await submit({ user_decision: 'deny' })).searchParams.get('error')).toBe('access_denied');
  });

  test('signs id tokens for the native sign-in', async () => {
    expect(() => provider.idToken()).toThrow(TypeError);
    provider.signInAs({ email: 'eve@example.com', emailVerified: false });
    const keys = createRemoteJWKSet(new URL(`${provider.issuer}/jwks`));
    const token = provider.idToken({ nonce: 'n', locale: 'en' });
    const { payload } = await jwtVerify(token, keys, { issuer: provider.issuer, audience: 'test-client' });
    expect(payload).toMatchObject({ email: 'eve@example.com', email_verified: false, nonce: 'n', locale: 'en' });
    const { payload: of } = await jwtVerify(provider.idToken({}, ADA), keys);
    expect(of.sub).toBe('ada-1');
  });

  test('has a new secret at each start, or the one that the app keeps in its settings', async () => {
    const [one, two] = await Promise.all([startTestProvider(), startTestProvider()]);
    const again = await startTestProvider({ clientSecret: 'kept' });
    const secretsOf = [one, two, again].map((each) => each.settings({ id: 'x' }).clientSecret);
    expect(new Set(secretsOf).size).toBe(3);
    expect(again.settings({ id: 'x' })).toMatchObject({ clientId: 'test-client', clientSecret: 'kept' });
    for (const each of [one, two, again]) await each.close();
  });

  test('has settings only of members that a provider in the environment may have', () => {
    // @ts-expect-error trustMfa is for providers in code
    const entry = provider.settings({ id: 'x', trustMfa: true });
    expect(providersFault([entry])).toBe('number 1 has the unknown member "trustMfa"');
    const all = { name: 'Own', scopes: ['openid'], trustEmail: true };
    expect(providersFault([provider.settings({ id: 'x', ...all })])).toBeUndefined();
  });

  test('without ID tokens has no options that need them', () => {
    const client = { clientId: 'client', clientSecret: 'secret' };
    const endpoints = {
      issuer: 'https://x.test',
      authorizationEndpoint: 'https://x.test/a',
      tokenEndpoint: 'https://x.test/t',
    };
    const own = { ...client, ...endpoints, id: 'own', profileOf: async () => ({ sub: '1', isEmailVerified: false }) };
    const made = [
      // @ts-expect-error an ID token has `amr`
      github({ ...client, trustMfa: true }),
      // @ts-expect-error native apps send ID tokens
      github({ ...client, nativeClientIds: ['ios'] }),
      // @ts-expect-error an ID token has `amr`
      oauth2Provider({ ...own, trustMfa: true }),
      // @ts-expect-error native apps send ID tokens
      oauth2Provider({ ...own, nativeClientIds: ['ios'] }),
    ];
    for (const each of made) expect(each).toMatchObject({ trustMfa: false, nativeClientIds: [] });
  });

  test('can be started again on a given port, and refuses a port that is in use', async () => {
    const port = Number(new URL(provider.issuer).port);
    await expect(startTestProvider({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await provider.close();
    provider = await startTestProvider({ port });
    expect(provider.settings({ id: 'x', trustEmail: true })).toMatchObject({
      id: 'x',
      trustEmail: true,
      name: 'Test provider',
      issuer: `http://127.0.0.1:${port}`,
    });
  });
});
