import { base64Url } from './base64-url.js';
import type { ProofKey } from './key-place.js';
import { sha256 } from './sha256.js';

/** What a proof is for (RFC 9449, section 4.2). */
export interface ProofOf {
  readonly method: string;
  /** The URL of the request. Its query and fragment do not count. */
  readonly url: string;
  /** The server's latest nonce. */
  readonly nonce?: string | undefined;
  /** The access token that is sent with the request, if it is bound to the key as well. */
  readonly token?: string | undefined;
}

/** Signs that this request comes from the owner of the key: the value of the header `DPoP`. It is good once. */
export async function dpopProof(key: ProofKey, { method, url, nonce, token }: ProofOf): Promise<string> {
  const header = { typ: 'dpop+jwt', alg: key.alg, jwk: key.publicJwk };
  const claims = {
    jti: uniqueId(),
    htm: method,
    htu: url.replace(/[?#].*/, ''),
    iat: Math.floor(Date.now() / 1000),
    ath: token && base64Url(sha256(token)),
    nonce,
  };
  const signed = `${encode(header)}.${encode(claims)}`;
  const signature = await key.sign(bytesOf(signed));
  return `${signed}.${base64Url(signature)}`;
}

/** It has to be unique among the proofs of this key, but no secret, so `Math.random` is enough (RFC 9449, 4.2). */
function uniqueId(): string {
  return [Date.now(), Math.random(), Math.random()].map((part) => part.toString(36).replace('0.', '')).join('');
}

/** The JSON as UTF-8. React Native has no TextEncoder. */
function encode(json: object): string {
  return base64Url(bytesOf(unescape(encodeURIComponent(JSON.stringify(json)))));
}

/** The bytes of a text whose characters are bytes. */
function bytesOf(binary: string): Uint8Array {
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
