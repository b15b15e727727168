import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';

/** Bytes of nonce and tag of AES-GCM (NIST SP 800-38D §8.2.2, §5.2.1.2). */
const NONCE = 12;
const TAG = 16;

/** Something was not encrypted with a key that is here: another server may have it. */
export class UnsealError extends Error {
  override readonly name = 'UnsealError';
}

/** Encrypts a text (AES-256-GCM) so that it can be read in the place of `id` alone. */
export function seal(text: string, id: string, key: KeyObject): string {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG }).setAAD(Buffer.from(id));
  const encrypted = [cipher.update(text, 'utf8'), cipher.final()];
  return Buffer.concat([nonce, ...encrypted, cipher.getAuthTag()]).toString('base64');
}

/** What was sealed with one of some keys. @throws UnsealError */
export function unseal(sealed: string, id: string, keys: readonly KeyObject[]): string {
  let cause: unknown;
  for (const key of keys) {
    try {
      return unsealWith(sealed, id, key);
    } catch (error) {
      cause = error;
    }
  }
  throw new UnsealError('was encrypted with another key', { cause });
}

function unsealWith(sealed: string, id: string, key: KeyObject): string {
  const bytes = Buffer.from(sealed, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE), { authTagLength: TAG });
  decipher.setAAD(Buffer.from(id)).setAuthTag(bytes.subarray(-TAG));
  return Buffer.concat([decipher.update(bytes.subarray(NONCE, -TAG)), decipher.final()]).toString('utf8');
}
