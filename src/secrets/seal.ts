import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';
import { UnsealError } from './unseal-error.js';

/** Lengths of the nonce and of the authentication tag of AES-GCM (NIST SP 800-38D §8.2 and §5.2.1.2). */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** The form of a sealed text: key id, dot, and in base64url the nonce, the encrypted text and the tag. */
const SEALED = /^([\da-f]{8})\.([\w-]+)$/;

/** A key, and its id, which every text that it has sealed contains. */
export interface SealKey {
  readonly id: string;
  readonly key: KeyObject;
}

/** Encrypts and decrypts text for one purpose, with AES-256-GCM. */
export class Seal {
  /** @param keys the first key encrypts, all keys decrypt */
  constructor(private readonly keys: readonly [SealKey, ...SealKey[]]) {}

  /**
   * Encrypts text.
   *
   * @param boundTo for example the id of the row. Decryption needs the same value, so that the sealed text is useless
   * in another row
   */
  seal(text: string, boundTo: string): string {
    const [{ id, key }] = this.keys;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(boundTo));
    const encrypted = [cipher.update(text), cipher.final()];
    return `${id}.${Buffer.concat([nonce, ...encrypted, cipher.getAuthTag()]).toString('base64url')}`;
  }

  /** Whether the first key has encrypted a sealed text. If not, it should be encrypted again. */
  isCurrent(sealed: string): boolean {
    return SEALED.exec(sealed)?.[1] === this.keys[0].id;
  }

  /** What the key with an id can do here: encrypt, only decrypt, or nothing, because it is not set. */
  roleOf(id: string): 'encrypts' | 'decrypts' | 'unknown' {
    if (id === this.keys[0].id) return 'encrypts';
    return this.keys.some((key) => key.id === id) ? 'decrypts' : 'unknown';
  }

  /** Decrypts text that one of the keys has sealed. @throws UnsealError */
  open(sealed: string, boundTo: string): string {
    const [, id, content = ''] = SEALED.exec(sealed) ?? [];
    if (id === undefined) throw new UnsealError('sealed_text_damaged');
    const keys = this.keys.filter((each) => each.id === id); // ids are short: two keys can have the same one
    if (keys.length === 0) throw new UnsealError('sealed_with_unknown_key');
    let cause: unknown;
    for (const { key } of keys) {
      try {
        return decrypt(Buffer.from(content, 'base64url'), boundTo, key);
      } catch (error) {
        cause = error;
      }
    }
    throw new UnsealError('sealed_text_damaged', { cause });
  }
}

function decrypt(bytes: Buffer, boundTo: string, key: KeyObject): string {
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(boundTo)).setAuthTag(bytes.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8');
}
