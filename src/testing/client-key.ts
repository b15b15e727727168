import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { toSeconds } from '../clock.js';
import { hashOf } from '../dpop/proof-verifier.js';

/** The request for which a proof is made. */
export interface ProvedRequest {
  readonly method: string;
  /** An absolute URL. Its query and fragment are left out. */
  readonly url: string;
  /** The access token of the request, for `ath`. */
  readonly accessToken: string;
}

/** A key pair of a client, which signs DPoP proofs (RFC 9449 §4.2) with ES256. */
export class ClientKey {
  /** The thumbprint of the public key (RFC 7638 §3, SHA-256). */
  readonly thumbprint: string;
  readonly #privateKey: KeyObject;
  readonly #jwk: { readonly crv?: string; readonly kty?: string; readonly x?: string; readonly y?: string };

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { crv, kty, x, y } = publicKey.export({ format: 'jwk' });
    this.#privateKey = privateKey;
    this.#jwk = { crv, kty, x, y }; // the order of RFC 7638 §3.3
    this.thumbprint = hashOf(JSON.stringify(this.#jwk));
  }

  /** Makes a proof, which works once. @param now milliseconds since the epoch, for `iat` */
  prove({ method, url, accessToken }: ProvedRequest, now: number): string {
    const { origin, pathname } = new URL(url);
    const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: this.#jwk };
    const what = { htm: method.toUpperCase(), htu: origin + pathname, ath: hashOf(accessToken) };
    const input = `${encode(header)}.${encode({ jti: randomUUID(), iat: toSeconds(now), ...what })}`;
    const signature = sign('sha256', Buffer.from(input), { key: this.#privateKey, dsaEncoding: 'ieee-p1363' });
    return `${input}.${signature.toString('base64url')}`;
  }
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
