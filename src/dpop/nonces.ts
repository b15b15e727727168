import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../clock.js';
import type { EncryptionKeys } from '../secrets/encryption-keys.js';

/** How long a nonce is accepted. */
export const NONCE_SECONDS = 300;

/** Length of the instant in a nonce, in bytes. */
const INSTANT_BYTES = 6;

const MAC_BYTES = 16;

/**
 * Makes and reads nonces for DPoP proofs (RFC 9449 §8): the current instant and its keyed hash. Servers store nothing,
 * and each accepts the nonces of the others.
 */
export class Nonces {
  readonly #key: KeyObject;

  constructor(private readonly kernel: { readonly clock: Clock; readonly encryption: EncryptionKeys }) {
    this.#key = kernel.encryption.hashKey('dpop nonces');
  }

  /** A nonce of now. */
  create(): string {
    const instant = Buffer.alloc(INSTANT_BYTES);
    instant.writeUIntBE(this.kernel.clock.now(), 0, INSTANT_BYTES);
    return Buffer.concat([instant, this.#macOf(instant)]).toString('base64url');
  }

  /**
   * When a nonce was made, in milliseconds since the epoch. Undefined unless a server of this app has made it. It may
   * have expired.
   */
  instantOf(nonce: unknown): number | undefined {
    if (typeof nonce !== 'string') return undefined;
    const bytes = Buffer.from(nonce, 'base64url');
    if (bytes.length !== INSTANT_BYTES + MAC_BYTES || bytes.toString('base64url') !== nonce) return undefined;
    const instant = bytes.subarray(0, INSTANT_BYTES);
    return timingSafeEqual(bytes.subarray(INSTANT_BYTES), this.#macOf(instant))
      ? instant.readUIntBE(0, INSTANT_BYTES)
      : undefined;
  }

  #macOf(instant: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(instant).digest().subarray(0, MAC_BYTES);
  }
}
