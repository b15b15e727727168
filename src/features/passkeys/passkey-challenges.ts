import { createHash, createHmac, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { Table } from '../../database/table.js';
import type { AuthKernel } from '../../kernel.js';
import { USED_PASSKEY_CHALLENGE_ENTITY } from './passkey.entity.js';

/** What a challenge is for. It is worth nothing for another purpose. */
export type PasskeyPurpose = 'registration' | 'sign-up' | 'login' | 'answer' | 'reauthentication';

/** A purpose, and the values for which alone a challenge is good, such as the user and the session. */
export interface PasskeyCeremony {
  readonly purpose: PasskeyPurpose;
  readonly boundTo: readonly string[];
}

/** A challenge that may be used. */
export interface OpenedChallenge {
  /** SHA-256 of its bytes, in base64url. */
  readonly hash: string;
  readonly expiresAt: Date;
  /** What `create` has put into it. */
  readonly data: Buffer;
}

/** Lifetime of a challenge. */
export const CHALLENGE_SECONDS = 300;

/** Lengths of the parts of a challenge: expiry (seconds since the epoch), nonce, and authentication code. */
const EXPIRY_BYTES = 6;
const NONCE_BYTES = 16;
const MAC_BYTES = 32;

/**
 * Makes and checks challenges. A challenge is not stored before it is used, because a page may ask for one at each
 * view. It carries its expiry and an HMAC over purpose, expiry and the values to which it is bound, so that every
 * server with the same ENCRYPTION_KEYS accepts it, once.
 */
export class PasskeyChallenges {
  /** The first key makes challenges, all keys verify them. */
  readonly #keys: readonly [KeyObject, ...KeyObject[]];
  readonly #insert: string;

  constructor(private readonly kernel: Pick<AuthKernel, 'database' | 'orm' | 'clock' | 'encryption'>) {
    this.#keys = kernel.encryption.markKeys('passkey challenges');
    const table = Table.named(kernel.orm, USED_PASSKEY_CHALLENGE_ENTITY);
    const [hash, expiresAt] = ['hash', 'expiresAt'].map((name) => table.column(name));
    this.#insert = `
      insert into ${table.name} (${hash}, ${expiresAt}) values ($1, $2) on conflict (${hash}) do nothing returning 1`;
  }

  /** Makes a challenge, in base64url. @param data is readable in it, and cannot be changed */
  create(ceremony: PasskeyCeremony, data: Uint8Array = new Uint8Array()): string {
    const expiry = Buffer.alloc(EXPIRY_BYTES);
    expiry.writeUIntBE(Math.floor(this.kernel.clock.now() / 1000) + CHALLENGE_SECONDS, 0, EXPIRY_BYTES);
    const content = Buffer.concat([expiry, randomBytes(NONCE_BYTES), data]);
    return Buffer.concat([content, macOf(this.#keys[0], ceremony, content)]).toString('base64url');
  }

  /** Checks a challenge. Undefined: it has expired, or was not made for this purpose and these values. */
  open(challenge: unknown, ceremony: PasskeyCeremony): OpenedChallenge | undefined {
    const bytes = typeof challenge === 'string' ? Buffer.from(challenge, 'base64url') : Buffer.alloc(0);
    if (bytes.length < EXPIRY_BYTES + NONCE_BYTES + MAC_BYTES) return undefined;
    const [content, mac] = [bytes.subarray(0, -MAC_BYTES), bytes.subarray(-MAC_BYTES)];
    if (!this.#keys.some((key) => timingSafeEqual(mac, macOf(key, ceremony, content)))) return undefined;
    const expiresAt = new Date(content.readUIntBE(0, EXPIRY_BYTES) * 1000);
    if (expiresAt.getTime() <= this.kernel.clock.now()) return undefined;
    const hash = createHash('sha256').update(bytes).digest('base64url');
    return { hash, expiresAt, data: content.subarray(EXPIRY_BYTES + NONCE_BYTES) };
  }

  /** Uses a challenge up, in the transaction that does the work. False: it was used before. */
  async use({ hash, expiresAt }: OpenedChallenge, em: EntityManager): Promise<boolean> {
    return (await this.kernel.database.query(this.#insert, [hash, expiresAt], em)).length > 0;
  }
}

function macOf(key: KeyObject, { purpose, boundTo }: PasskeyCeremony, content: Buffer): Buffer {
  const binding = JSON.stringify([purpose, ...boundTo]); // JSON has no NUL, so that the NUL below marks its end
  return createHmac('sha256', key).update(`${binding}\0`).update(content).digest();
}
