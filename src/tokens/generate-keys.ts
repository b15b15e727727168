import { generateKeyPair, type KeyObject, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { type Algorithm, CURVES, isHmac, SECRET_BYTES } from '../settings/algorithm.js';

/**
 * Bits of a new RSA key. RFC 7518 §3.3 asks for 2048 at least, which is as strong as 112 bits; 3072 are as strong as
 * the 128 of ES256 and HS256 (NIST SP 800-57 part 1, table 2).
 */
export const NEW_RSA_BITS = 3072;

const generate = promisify(generateKeyPair);

/**
 * A new key for an algorithm: a random secret with as many bytes as the hash gives, in base64url; or a key pair in PEM,
 * the private key as PKCS#8 and without a passphrase, the public one as SPKI.
 */
export async function generateKeys(
  algorithm: Algorithm,
): Promise<{ secret: string } | { privateKey: string; publicKey: string }> {
  if (isHmac(algorithm)) return { secret: randomBytes(SECRET_BYTES[algorithm]).toString('base64url') };
  const namedCurve = CURVES[algorithm];
  const pair: { privateKey: KeyObject; publicKey: KeyObject } = namedCurve
    ? await generate('ec', { namedCurve })
    : await generate('rsa', { modulusLength: NEW_RSA_BITS });
  return {
    privateKey: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    publicKey: pair.publicKey.export({ type: 'spki', format: 'pem' }) as string,
  };
}

/** A new key for ENCRYPTION_KEYS: 32 random bytes, in base64url. */
export function generateEncryptionKey(): string {
  return randomBytes(32).toString('base64url');
}
