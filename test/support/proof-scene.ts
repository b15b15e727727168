import { KeyObject, sign as signWith } from 'node:crypto';
import type { ProofSigner } from './bound-client.js';

/** What the maker of a bad proof has: the owner's key, so that only one thing is wrong, and a key of its own. */
export interface ProofScene {
  readonly key: ProofSigner;
  readonly other: ProofSigner;
  readonly method: string;
  /** The URL of the request, without a query. */
  readonly url: string;
  /** Seconds since the epoch. */
  readonly now: number;
  /** A valid nonce, and others that are not. */
  readonly nonces: Readonly<Record<'valid' | 'expired' | 'foreign', string>>;
}

/** A part of a JWS. A text is taken as it is, anything else as JSON. */
export const encode = (part: unknown) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');

/** The header of a right proof. */
export const headerOf = ({ key }: ProofScene, changes: object = {}) => ({
  typ: 'dpop+jwt',
  alg: key.algorithm,
  jwk: key.jwk,
  ...changes,
});

let count = 0;

/** The claims of a right proof. */
export const claimsOf = ({ method, url, now }: ProofScene, changes: object = {}) => ({
  jti: `jti ${++count}`,
  htm: method,
  htu: url,
  iat: now,
  ...changes,
});

/** Signs as ES256. A text is taken as it is, anything else as JSON. */
export function signed(
  { key }: Pick<ProofScene, 'key'>,
  header: unknown,
  claims: unknown,
  dsaEncoding: 'ieee-p1363' | 'der' = 'ieee-p1363',
): string {
  const input = `${encode(header)}.${encode(claims)}`;
  const signature = signWith('sha256', Buffer.from(input), { key: KeyObject.from(key.privateKey), dsaEncoding });
  return `${input}.${signature.toString('base64url')}`;
}

/** A right proof of this length, apart from the encoding. */
export function longProof(scene: ProofScene, length: number): string {
  const shorter = signed(scene, headerOf(scene), claimsOf(scene, { more: '' })).length;
  let more = Math.floor(((length - shorter) * 3) / 4);
  for (; ; more++) {
    const proof = signed(scene, headerOf(scene), claimsOf(scene, { more: 'm'.repeat(more) }));
    if (proof.length >= length) return proof;
  }
}
