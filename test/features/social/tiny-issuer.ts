import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

/** How a tiny issuer behaves. A test changes it at any time. */
export interface IssuerBehaviour {
  /** Claims of the ID token, in addition to the protocol's. */
  claims: Record<string, unknown>;
  /** Claims of the UserInfo endpoint. */
  userInfo: Record<string, unknown>;
  /** Changes the ID token's claims after everything else. */
  tamper: (claims: Record<string, unknown>) => Record<string, unknown>;
  /** Answers in place of the issuer. */
  instead?: (path: string) => { status: number; body?: string; delay?: number } | undefined;
}

/** A provider for tests of the server: every request for authorization is granted at once. */
export interface TinyIssuer extends IssuerBehaviour {
  readonly url: string;
  /** The paths of all requests. */
  readonly requests: string[];
  /** The body of the last request to the token endpoint. */
  tokenRequest: URLSearchParams;
  /** Follows an authorization URL, as a browser of a signed-in user: returns the URL of the callback. */
  authorize(authorizationUrl: string): string;
  /** Signs an ID token. */
  idToken(claims?: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
  /** Replaces the signing key. */
  rotate(): Promise<void>;
  /** The time of the issuer, in seconds. */
  now: () => number;
  close(): Promise<void>;
}

/** Starts an issuer on 127.0.0.1. The client is `client`, with the secret `client-secret`. */
export async function startTinyIssuer(): Promise<TinyIssuer> {
  let keys = await newKeys(1);
  let number = 1;
  const codes = new Map<string, URLSearchParams>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', issuer.url);
    issuer.requests.push(url.pathname);
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', async () => {
      const instead = issuer.instead?.(url.pathname);
      const answer = instead ?? (await answerTo(url, Buffer.concat(chunks).toString(), request.headers.authorization));
      setTimeout(() => {
        response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body ?? '{}');
      }, instead?.delay ?? 0).unref();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const answerTo = async (at: URL, body: string, authorization = ''): Promise<{ status: number; body?: string }> => {
    const ok = (json: unknown) => ({ status: 200, body: JSON.stringify(json) });
    if (at.pathname === '/.well-known/openid-configuration') {
      return ok({
        issuer: url,
        authorization_endpoint: `${url}/authorize`,
        token_endpoint: `${url}/token`,
        userinfo_endpoint: `${url}/userinfo`,
        jwks_uri: `${url}/jwks`,
        authorization_response_iss_parameter_supported: true,
        id_token_signing_alg_values_supported: ['ES256'],
      });
    }
    if (at.pathname === '/jwks') return ok({ keys: [keys.jwk] });
    if (at.pathname === '/userinfo') return ok(issuer.userInfo);
    if (at.pathname === '/token') {
      issuer.tokenRequest = new URLSearchParams(body);
      const isClient = authorization === `Basic ${Buffer.from('client:client%2Dsecret').toString('base64')}`;
      const asked = codes.get(issuer.tokenRequest.get('code') ?? '');
      if (!isClient || !asked) return { status: 400, body: '{"error":"invalid_grant"}' };
      codes.delete(issuer.tokenRequest.get('code') ?? '');
      const id_token = await issuer.idToken({ nonce: asked.get('nonce') });
      return ok({ access_token: 'provider-access', refresh_token: 'provider-refresh', token_type: 'Bearer', id_token });
    }
    return { status: 404 };
  };

  const issuer: TinyIssuer = {
    url,
    requests: [],
    tokenRequest: new URLSearchParams(),
    claims: { sub: 'ada', email: 'ada@example.com', email_verified: true, given_name: 'Ada', family_name: 'Lovelace' },
    userInfo: {},
    tamper: (claims) => claims,
    now: () => Math.floor(Date.now() / 1000),
    authorize: (authorizationUrl) => {
      const { searchParams } = new URL(authorizationUrl);
      const code = `code-${++number}`;
      codes.set(code, searchParams);
      const callback = new URL(searchParams.get('redirect_uri') ?? '');
      callback.search = new URLSearchParams({ code, state: searchParams.get('state') ?? '', iss: url }).toString();
      return callback.href;
    },
    idToken: async (more = {}, header = {}) => {
      const now = issuer.now();
      const claims = { iss: url, aud: 'client', iat: now, exp: now + 300, ...issuer.claims, ...more };
      return new SignJWT(issuer.tamper(claims))
        .setProtectedHeader({ alg: 'ES256', kid: keys.jwk.kid, ...header })
        .sign(keys.privateKey);
    },
    rotate: async () => {
      keys = await newKeys(++number);
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return issuer;
}

async function newKeys(number: number) {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid: `key-${number}`, alg: 'ES256', use: 'sig' } };
}
