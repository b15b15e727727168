import { createHash, randomUUID } from 'node:crypto';
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import type { TestApp } from './test-app.js';
import { type Answer, TestClient } from './test-client.js';

/** What differs from a right proof. */
export interface ProofOptions {
  /** Replaces claims. Undefined removes one. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Replaces header parameters. */
  readonly header?: Readonly<Record<string, unknown>>;
}

/** A key pair of a client, which signs DPoP proofs (RFC 9449 §4.2). */
export class ProofSigner {
  private constructor(
    readonly algorithm: string,
    readonly privateKey: CryptoKey,
    readonly jwk: JWK,
    /** RFC 7638. */
    readonly thumbprint: string,
  ) {}

  /** @param modulusLength of an RSA key, in bits */
  static async create(algorithm = 'ES256', modulusLength = 2048): Promise<ProofSigner> {
    const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true, modulusLength });
    const jwk = await exportJWK(publicKey);
    return new ProofSigner(algorithm, privateKey, jwk, await calculateJwkThumbprint(jwk));
  }

  /** A proof for a request. @param now milliseconds since the epoch */
  async proof(method: string, url: string, now: number, { claims, header }: ProofOptions = {}): Promise<string> {
    const own = { jti: randomUUID(), htm: method, htu: url, iat: Math.floor(now / 1000), ...claims };
    const payload = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
    const protectedHeader = { typ: 'dpop+jwt', alg: this.algorithm, jwk: this.jwk, ...header };
    return new SignJWT(payload).setProtectedHeader(protectedHeader).sign(this.privateKey);
  }
}

/** The `ath` of an access token (RFC 9449 §4.2). */
export function athOf(accessToken: string): string {
  return createHash('sha256').update(accessToken).digest('base64url');
}

/** A client that sends a new proof with every request below `/auth` that changes something. */
export class BoundClient extends TestClient {
  private constructor(
    private readonly app: TestApp,
    readonly key: ProofSigner,
  ) {
    const { refreshTokenAsCookie, refreshTokenCookieName = 'refresh_token' } = app.auth.settings;
    super(app.url, refreshTokenAsCookie ? 'cookie' : 'body', refreshTokenCookieName);
  }

  /** A client with its own key, or with this one. */
  static async of(app: TestApp, key?: ProofSigner): Promise<BoundClient> {
    return new BoundClient(app, key ?? (await ProofSigner.create()));
  }

  /** A client with these tokens and another key, or none: what a thief has copied. */
  async stolenBy(key?: ProofSigner): Promise<TestClient> {
    const { refreshToken, access } = this;
    return Object.assign(key ? await BoundClient.of(this.app, key) : this.app.client(), { refreshToken, access });
  }

  /** A proof for a request of now. */
  proof(method: string, path: string, options?: ProofOptions): Promise<string> {
    return this.key.proof(method, this.url + path, this.app.clock.now(), options);
  }

  override async send(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const isProved = method === 'POST' && path.startsWith('/auth/') && headers['dpop'] === undefined;
    const [url = ''] = path.split('?');
    return super.send(method, path, body, isProved ? { ...headers, dpop: await this.proof(method, url) } : headers);
  }
}
