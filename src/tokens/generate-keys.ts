import { generateKeyPair, type KeyObject, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { type Algorithm, CURVES, isHmac, SECRET_BYTES } from '../settings/algorithm.js';

/**
 * Size of a new RSA key, in bits. RFC 7518 §3.3 requires at least 2048, which has a strength of 112 bits. 3072 has the
 * strength of ES256 and HS256: 128 bits (NIST SP 800-57 part 1, table 2).
 */
export const NEW_RSA_BITS = 3072;

const generate = promisify(generateKeyPair);

/**
 * Makes a new key for an algorithm. For HMAC: a random secret with the length of the hash, in base64url. Otherwise: a
 * key pair in PEM, the private key as PKCS#8 without a passphrase, the public key as SPKI.
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

/** Makes a new key for ENCRYPTION_KEYS: 32 random bytes, in base64url. */
export function generateEncryptionKey(): string {
  return randomBytes(32).toString('base64url');
}
