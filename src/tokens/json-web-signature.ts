import { constants, createHmac, sign, timingSafeEqual } from 'node:crypto';
import { type HmacAlgorithm, isHmac, type KeyPairAlgorithm } from '../settings/algorithm.js';
import type { KeyMaterial } from '../settings/key-material.js';
import { isKeyPairSignature, type SignatureScheme } from './key-pair-signature.js';

/** The padding of PS256, PS384 and PS512 (RFC 7518 §3.5). */
export const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };

const HMAC_HASHES: Readonly<Record<HmacAlgorithm, string>> = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' };

const SCHEMES: Readonly<Record<KeyPairAlgorithm, SignatureScheme & { readonly hash: string }>> = {
  RS256: { hash: 'sha256' },
  RS384: { hash: 'sha384' },
  RS512: { hash: 'sha512' },
  PS256: { hash: 'sha256', padding: PSS },
  PS384: { hash: 'sha384', padding: PSS },
  PS512: { hash: 'sha512', padding: PSS },
  ES256: { hash: 'sha256', signatureBytes: 64 },
  ES384: { hash: 'sha384', signatureBytes: 96 },
  ES512: { hash: 'sha512', signatureBytes: 132 },
};

/** Signs a header and claims. Returns a compact JWS (RFC 7515 §7.1). */
export function signJws(header: object, claims: object, signer: KeyMaterial): string {
  const text = `${encode(header)}.${encode(claims)}`;
  return `${text}.${signatureOf(text, signer).toString('base64url')}`;
}

/** Whether the signature of a text was made with this key, or with the private key of this public one. */
export function hasSigned({ algorithm, key }: KeyMaterial, text: string, signature: Buffer): boolean {
  if (!isHmac(algorithm)) return isKeyPairSignature(signature, Buffer.from(text), key, SCHEMES[algorithm]);
  const expected = signatureOf(text, { algorithm, key });
  return expected.length === signature.length && timingSafeEqual(expected, signature);
}

function signatureOf(text: string, { algorithm, key }: KeyMaterial): Buffer {
  if (isHmac(algorithm)) return createHmac(HMAC_HASHES[algorithm], key).update(text).digest();
  const { hash, padding } = SCHEMES[algorithm];
  return sign(hash, Buffer.from(text), { key, dsaEncoding: 'ieee-p1363', ...padding });
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
