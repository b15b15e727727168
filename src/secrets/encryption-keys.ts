import { createHash, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { Seal, type SealKey } from './seal.js';

/** Bytes of the id of a key: enough to tell the keys of one app apart. */
const ID_BYTES = 4;

/**
 * The keys of ENCRYPTION_KEYS: for what is sealed in the database, for marks that browsers keep, and for keyed hashes.
 * No signing key is among them, so that a new signing key makes nothing unreadable and starts no counter anew. Each
 * purpose has keys of its own, derived by HKDF (RFC 5869), which tell nothing about each other.
 *
 * To replace a key, put the new one in front: what was sealed before still opens, and so do marks. Keyed hashes must be
 * the same on all servers while they do not agree on which key is the first, so they come from the key with the lowest
 * id, wherever it stands. They change once in a replacement: when the new key is added or when the old one is removed.
 * Counters of guesses and mails then start anew, and known networks are learned again.
 */
export class EncryptionKeys {
  readonly #keys: readonly [SealKey, ...SealKey[]];

  /** @param keys 32 bytes each; the first seals, all open */
  constructor([first, ...others]: readonly [Uint8Array, ...Uint8Array[]]) {
    this.#keys = [withId(first), ...others.map(withId)];
  }

  /** What seals and opens for one purpose. */
  sealFor(purpose: string): Seal {
    const [first, ...others] = this.#keys.map(({ id, key }) => ({ id, key: derive(key, purpose) }));
    return new Seal([first as SealKey, ...others]);
  }

  /** The keys of marks that are handed out: the first makes them, all verify them. */
  markKeys(purpose: string): readonly [KeyObject, ...KeyObject[]] {
    const [first, ...others] = this.#keys.map(({ key }) => derive(key, purpose));
    return [first as KeyObject, ...others];
  }

  /** The key of hashes in rows that servers share: the same on each server with the same keys, in any order. */
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
