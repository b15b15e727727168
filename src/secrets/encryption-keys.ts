import { createHash, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { Seal, type SealKey } from './seal.js';

/** Length of a key id, in bytes. Two keys of one app have the same id only by a rare accident. */
const ID_BYTES = 4;

/**
 * The keys of ENCRYPTION_KEYS. They encrypt values in the database, authenticate the marks of `SignUpBrowsers` (values
 * in a cookie), and make keyed hashes. They are independent of the signing keys: a new signing key makes no stored
 * value unreadable and resets no counter. Each purpose has its own keys, derived with HKDF (RFC 5869).
 *
 * To replace a key, put the new key first. The older keys still decrypt values and verify marks. Keyed hashes must be
 * equal on all servers, even while servers disagree on which key is the first. Therefore they use the key with the
 * lowest id, in any position. During a replacement these hashes change once: either when the new key is added or when
 * the old key is removed. At that moment the counters of failed logins and mails are reset, known networks are
 * forgotten, and open challenges and mailed codes become invalid.
 */
export class EncryptionKeys {
  readonly #keys: readonly [SealKey, ...SealKey[]];

  /** @param keys 32 bytes each. The first key encrypts, all keys decrypt */
  constructor([first, ...others]: readonly [Uint8Array, ...Uint8Array[]]) {
    this.#keys = [withId(first), ...others.map(withId)];
  }

  /** Encrypts and decrypts values for one purpose. */
  sealFor(purpose: string): Seal {
    const [first, ...others] = this.#keys.map(({ id, key }) => ({ id, key: derive(key, purpose) }));
    return new Seal([first as SealKey, ...others]);
  }

  /** The keys for the marks of `SignUpBrowsers`: the first key makes them, all keys verify them. */
  markKeys(purpose: string): readonly [KeyObject, ...KeyObject[]] {
    const [first, ...others] = this.#keys.map(({ key }) => derive(key, purpose));
    return [first as KeyObject, ...others];
  }

  /** The key for keyed hashes in the database: the same on all servers with the same keys, in any order. */
  hashKey(purpose: string): KeyObject {
    const [lowest] = this.#keys.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    return derive((lowest as SealKey).key, purpose);
  }
}

function withId(bytes: Uint8Array): SealKey {
  const id = createHash('sha256')
    .update(bytes)
    .digest('hex')
    .slice(0, 2 * ID_BYTES);
  return { id, key: createSecretKey(bytes) };
}

function derive(key: KeyObject, purpose: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', key, '', `jwt-allauth ${purpose}`, 32)));
}
