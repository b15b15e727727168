import { createHmac, createPublicKey, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Grant } from '../../src/features/social/testing/authorization-codes.js';
import { SigningKey } from '../../src/features/social/testing/signing-key.js';
import { TestProvider } from '../../src/features/social/testing/test-provider.js';

/** What is wrong with the id token, or with the answer to the app. */
export type Fault =
  | 'nonce'
  | 'no nonce'
  | 'issuer'
  | 'audience'
  | 'two audiences'
  | 'expired'
  | 'issued in the future'
  | 'no sub'
  | 'signature'
  | 'foreign key'
  | 'alg none'
  | 'HS256 with the public key'
  | 'HS256 with the client secret'
  | 'another sub in userinfo'
  | 'no id token'
  | 'no issuer in the answer'
  | 'another issuer in the answer'
  | 'another issuer in the metadata';

/** How an endpoint fails. */
export type Breakdown = '500' | 'broken JSON' | 'a page' | 'endless' | 'silent' | 'reset' | 'redirect';

const FOREIGN_KEY = new SigningKey();

/** A provider that breaks one rule at a time. */
export class MisbehavingProvider extends TestProvider {
  fault: Fault | undefined;
  /** Endpoints that fail, by their path. */
  readonly broken = new Map<string, Breakdown>();
  /** Whether address and names are in the userinfo response only, as with many providers. */
  isProfileInUserInfo = false;
  /** `METHOD /path` of each request. */
  readonly requests: string[] = [];
  /** How many bytes of endless answers were taken. */
  bytesSent = 0;
  #published = [this.key];

  /** Signs with a new key from now on. @param isPublished whether it is in the JWKS document */
  rotateKey(isPublished = true): void {
    this.key = new SigningKey();
    if (isPublished) this.#published = [this.key];
  }

  override async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?')[0] ?? '';
    this.requests.push(`${request.method} ${path}`);
    const breakdown = this.broken.get(path);
    return breakdown ? this.#fail(breakdown, response) : super.handle(request, response);
  }

  #fail(breakdown: Breakdown, response: ServerResponse): void {
    const json = { 'Content-Type': 'application/json' };
    if (breakdown === 'reset') response.destroy();
    if (breakdown === '500') response.writeHead(500, json).end('{"error":"server_error"}');
    if (breakdown === 'broken JSON') response.writeHead(200, json).end('{"access_token":');
    if (breakdown === 'a page') response.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>Maintenance</h1>');
    if (breakdown === 'redirect') response.writeHead(307, { Location: `${this.issuer}/elsewhere` }).end();
    if (breakdown === 'endless') {
      const chunk = ' '.repeat(65_536);
      const send = () => {
        while (!response.destroyed && response.write(chunk)) this.bytesSent += chunk.length;
        this.bytesSent += chunk.length;
      };
      response.writeHead(200, json).on('drain', send);
      send();
    }
  }

  protected override metadata(): object {
    const metadata = super.metadata();
    return this.fault === 'another issuer in the metadata' ? { ...metadata, issuer: 'http://127.0.0.1:1' } : metadata;
  }

  protected override jwks(): object {
    return { keys: this.#published.map(({ publicJwk }) => publicJwk) };
  }

  protected override idTokenClaims(grant: Grant): Record<string, unknown> {
    const claims = super.idTokenClaims(grant);
    const now = Math.floor(this.clock.now() / 1000);
    const wrong: Partial<Record<Fault, object>> = {
      nonce: { nonce: 'of somebody else' },
      'no nonce': { nonce: undefined },
      issuer: { iss: 'http://127.0.0.1:1' },
      audience: { aud: 'another client' },
      'two audiences': { aud: ['test-client', 'another client'], azp: 'another client' },
      expired: { iat: now - 7200, exp: now - 3600 },
      'issued in the future': { iat: now + 86_400, exp: now + 90_000, nbf: now + 86_400 },
      'no sub': { sub: undefined },
    };
    const inUserInfo = { email: undefined, email_verified: undefined, name: undefined };
    const isSplit = this.isProfileInUserInfo || this.fault === 'another sub in userinfo';
    return { ...claims, ...(isSplit && inUserInfo), ...(this.fault && wrong[this.fault]) };
  }

  protected override userInfo(grant: Grant): Record<string, unknown> {
    const claims = super.userInfo(grant);
    return this.fault === 'another sub in userinfo' ? { ...claims, sub: randomUUID() } : claims;
  }

  protected override tokenResponse(grant: Grant): object {
    const { id_token, ...others } = super.tokenResponse(grant) as Record<string, unknown>;
    return this.fault === 'no id token' ? others : { id_token, ...others };
  }

  protected override authorizationResponse(outcome: Record<string, string>, request: Record<string, string>) {
    const answer = super.authorizationResponse(outcome, request);
    if (this.fault === 'no issuer in the answer') answer.delete('iss');
    if (this.fault === 'another issuer in the answer') answer.set('iss', 'http://127.0.0.1:1');
    return answer;
  }

  protected override sign(claims: object): string {
    const own = Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
    const { kid, publicJwk } = this.key;
    const pem = createPublicKey({ key: publicJwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
    const hmac = (secret: string) => {
      const input = `${encode({ alg: 'HS256', kid, typ: 'JWT' })}.${encode(own)}`;
      return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
    };
    if (this.fault === 'alg none') return `${encode({ alg: 'none', kid })}.${encode(own)}.`;
    if (this.fault === 'HS256 with the public key') return hmac(String(pem));
    if (this.fault === 'HS256 with the client secret') return hmac(this.client.secret);
    if (this.fault === 'foreign key') return FOREIGN_KEY.sign(own, kid);
    const token = super.sign(own);
    return this.fault === 'signature' ? `${token.slice(0, -6)}AAAAAA` : token;
  }
}
