import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider, { type KoaContextWithOIDC } from 'oidc-provider';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { github, openIdProvider } from '../../../src/features/social/index.js';
import { freePort } from '../../../src/testing/free-port.js';
import { CookieJar } from '../../support/cookie-jar.js';
import type { MailApp } from '../../support/mail-app.js';
import { claimsOf } from '../../support/race.js';
import { createSocialApp, linksOf, SocialBrowser } from '../../support/social-app.js';

const HOME = 'http://accounts.test/';
const ADA = { sub: 'ada-at-op', email: 'ada@op.example', email_verified: true, name: 'Ada Lovelace' };
const CLIENT = { clientId: 'app', clientSecret: 'a secret of the app & the provider: 100%' };

let issuer: string;
let server: Server;
let app: MailApp;

/** A certified provider, whose visitors sign in and consent at once. */
async function startCertified(port: number): Promise<Server> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT.clientId,
        client_secret: CLIENT.clientSecret,
        redirect_uris: [`${HOME}auth/social/op/callback`],
      },
    ],
    jwks: { keys: [jwk as never] },
    cookies: { keys: [randomUUID()] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    findAccount: async (_context, accountId) => ({ accountId, claims: async () => ADA }),
    loadExistingGrant: async ({ oidc }: KoaContextWithOIDC) => {
      const grant = new oidc.provider.Grant({ clientId: oidc.client?.clientId, accountId: oidc.session?.accountId });
      grant.addOIDCScope('openid email profile');
      await grant.save();
      return grant;
    },
  });
  const handle = provider.callback();
  const listening = createServer(async (request, response) => {
    if (!request.url?.startsWith('/interaction/')) return handle(request, response);
    await provider.interactionFinished(request, response, { login: { accountId: ADA.sub } });
  });
  await new Promise<void>((resolve) => listening.listen(port, '127.0.0.1', resolve));
  return listening;
}

/** GitHub, as far as a sign-in needs it: OAuth 2 without ID tokens. */
function gitHubLike(): Promise<Server> {
  const answers: Record<string, unknown> = {
    '/login/oauth/access_token': { access_token: 'gho_token', token_type: 'bearer', scope: 'read:user,user:email' },
    '/api/v3/user': { id: 4711, login: 'ada', name: 'Ada Lovelace', email: 'public@elsewhere.example' },
    '/api/v3/user/emails': [
      { email: 'old@github.example', primary: false, verified: true },
      { email: 'ada@github.example', primary: true, verified: true },
    ],
  };
  const listening = createServer((request, response) => {
    const path = request.url?.split('?')[0] ?? '';
    const isAllowed = path.includes('access_token') || request.headers.authorization === 'Bearer gho_token';
    response.writeHead(isAllowed ? 200 : 401, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(answers[path] ?? {}));
  });
  return new Promise((resolve) => listening.listen(0, '127.0.0.1', () => resolve(listening)));
}

/** Follows the redirects of the provider, with its cookies, until it sends the browser to the app. */
async function visit(at: URL): Promise<string> {
  const jar = new CookieJar();
  let url = at.href;
  for (let hops = 0; hops < 10; hops++) {
    const answer = await fetch(url, { redirect: 'manual', headers: jar.headerFor(new URL(url).pathname) });
    jar.take(answer.headers);
    url = new URL(answer.headers.get('location') ?? '', url).href;
    if (!url.startsWith(issuer)) return url;
  }
  throw new Error('the provider redirects without an end');
}

beforeAll(async () => {
  const port = await freePort();
  issuer = `http://127.0.0.1:${port}`;
  server = await startCertified(port);
  app = await createSocialApp({ providers: [openIdProvider({ id: 'op', issuer, trustEmail: true, ...CLIENT })] });
});
afterAll(async () => {
  await app.close();
  server.closeAllConnections();
  server.close();
});

test('a certified provider signs its user in, again and again, with PKCE and an address from its UserInfo', async () => {
  for (let round = 0; round < 2; round++) {
    const browser = new SocialBrowser(app);
    const callback = await visit(await browser.start('op'));
    expect(new URL(callback).searchParams.get('iss')).toBe(issuer);
    expect((await browser.open(callback)).location).toBe(HOME);
    const client = await browser.client();
    expect(claimsOf(client.access).amr).toEqual(['fed']);
    expect((await client.get('/auth/user')).body).toMatchObject({ email: ADA.email, firstName: 'Ada' });
  }
  expect(await linksOf(app)).toEqual([{ provider: 'op', sub: ADA.sub, user: ADA.email }]);
});

test('a certified provider refuses a client with a wrong secret, and the app logs the reason', async () => {
  const provider = openIdProvider({ id: 'op', issuer, ...CLIENT, clientSecret: 'wrong' });
  const misconfigured = await createSocialApp({ providers: [provider] });
  const browser = new SocialBrowser(misconfigured);
  const landing = await browser.open(await visit(await browser.start('op')));
  expect(landing.location).toBe(`${HOME}?error=provider_refused#status=401`);
  expect(JSON.stringify(misconfigured.log)).toContain('WWW-Authenticate');
  await misconfigured.close();
});

test('GitHub signs in by OAuth 2, with the primary address if it is verified', async () => {
  const listening = await gitHubLike();
  const url = `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
  const ofGitHub = await createSocialApp({ providers: [github({ ...CLIENT, url })] });
  const browser = new SocialBrowser(ofGitHub);
  const at = await browser.start('github');
  expect([at.pathname, at.searchParams.get('scope'), at.searchParams.has('nonce')]).toEqual([
    '/login/oauth/authorize',
    'read:user user:email',
    false,
  ]);
  const state = at.searchParams.get('state') ?? '';
  const callback = `/auth/social/github/callback?${new URLSearchParams({ code: 'code-of-github', state })}`;
  expect((await browser.open(callback)).location).toBe(HOME);
  expect(await linksOf(ofGitHub)).toEqual([{ provider: 'github', sub: '4711', user: 'ada@github.example' }]);
  const native = await ofGitHub.client().send('POST', '/auth/social/github/token', { idToken: 'a.b.c', nonce: 'n' });
  expect(native.body.code).toMatch(/^provider_(not_found|refused)$/);
  await ofGitHub.close();
  listening.closeAllConnections();
  listening.close();
});
