import { availableParallelism } from 'node:os';
import { hash, verify } from '@node-rs/argon2';
import { JwtAllauthError } from '../error.js';
import type { Logger } from '../observability/logger.js';
import { HashQueue, type HashWork } from './hash-queue.js';
import type { LegacyPasswords } from './legacy-passwords.js';
import { LONGEST_PASSWORD, normalizePassword } from './password-normalization.js';
import { verifyLegacyHash } from './verify-legacy-hash.js';

/** argon2id as OWASP recommends it (Password Storage Cheat Sheet): 19 MiB, two passes, one lane. */
const PARAMETERS: Argon2Parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** Salt and hash of random bytes that nobody kept, to be checked where there is no other hash. */
const DECOY_SALT_AND_HASH = 'op0sx3mg0rrd0UvDlbGKuQ$Si06k3SzHHI886uMg7T/lzagLkCCPUwiXUk4wBREShU';

/**
 * Hashes at work at the same time: each holds 19 MiB, and libuv's four threads serve the app's files and DNS as well.
 */
const MAX_PARALLEL = Math.min(3, availableParallelism());

/** Requests that may wait for a hash; a flood beyond them is turned away instead of kept in memory. */
const MAX_WAITING = 256;

/** How many of these may be of one network. */
const MAX_WAITING_PER_NETWORK = 64;

/** What argon2id costs. */
export interface Argon2Parameters {
  /** KiB of memory. */
  readonly memoryCost: number;
  /** Passes over the memory. */
  readonly timeCost: number;
  /** Lanes. */
  readonly parallelism: number;
}

/** How a password is hashed, and for whom. */
export interface HashOptions extends HashWork {
  /** At least 16 bytes; default: random ones. */
  readonly salt?: Uint8Array;
}

/**
 * Passwords at rest: argon2id, computed on the thread pool so that the event loop goes on, and bounded in parallel so
 * that a flood of logins cannot exhaust memory. Clients take turns by their network, and sign-ins come before sign-ups:
 * one address cannot keep the others out.
 */
export class PasswordHasher {
  readonly #queue = new HashQueue({
    parallel: MAX_PARALLEL,
    waiting: MAX_WAITING,
    waitingPerNetwork: MAX_WAITING_PER_NETWORK,
  });

  constructor(
    protected readonly kernel: { readonly legacyPasswords?: LegacyPasswords; readonly logger?: Logger } = {},
  ) {}

  /** What a hash costs today. An app overrides this; older hashes are made again at the next sign-in. */
  protected get parameters(): Argon2Parameters {
    return PARAMETERS;
  }

  /** With what every hash of today begins. */
  get #prefix(): string {
    const { memoryCost, timeCost, parallelism } = this.parameters;
    return `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$`;
  }

  get #decoy(): string {
    return this.#prefix + DECOY_SALT_AND_HASH;
  }

  /** @throws service_unavailable when too many hashes are waiting already */
  async hash(password: string, { salt, ...work }: HashOptions = {}): Promise<string> {
    return this.#queue.run(() => hash(normalizePassword(password), { ...this.parameters, salt }), work);
  }

  /**
   * Whether `password` belongs to `passwordHash`. Without a hash (no such user, or none with a password) the answer is
   * false after the same work, so that time does not tell who has an account. A hash of an unknown form is wrong, after
   * the same work. One that `legacyPasswords` is asked for takes as long as the slower of both.
   *
   * @throws service_unavailable when too many hashes are waiting already
   */
  async verify(passwordHash: string | null | undefined, password: string, work?: HashWork): Promise<boolean> {
    const isPlausible = Boolean(passwordHash) && password.length <= LONGEST_PASSWORD;
    const candidate = isPlausible ? normalizePassword(password) : '';
    const { legacyPasswords } = this.kernel;
    if (legacyPasswords && passwordHash && isPlausible && !passwordHash.startsWith('$argon2id$'))
      return this.#verifyLegacy(() => verifyLegacyHash(legacyPasswords, passwordHash, password), work);
    const check = (expected: string) => this.#queue.run(() => verify(expected, candidate), work);
    const isRight = await check(passwordHash || this.#decoy).catch((error) => {
      if (error instanceof JwtAllauthError) throw error;
      return check(this.#decoy); // a hash of another kind: wrong, but after the same work
    });
    return isRight && isPlausible;
  }

  /** Asks the app, beside the work that every wrong password takes. */
  async #verifyLegacy(ask: () => Promise<boolean>, work?: HashWork): Promise<boolean> {
    const answer = async () => {
      try {
        return await ask();
      } catch (error) {
        const reason = error instanceof Error ? error.name : typeof error; // its message can have the hash in it
        this.kernel.logger?.error({ reason }, 'legacyPasswords.verify failed: the password counts as wrong');
        return false;
      }
    };
    const [isRight] = await this.#queue.run(() => Promise.all([answer(), verify(this.#decoy, '')]), work);
    return isRight;
  }

  /**
   * Whether `password` belongs to one of some hashes, after the work of one `verify`, also where there is no hash. All
   * hashes that have the salt of the first one are looked at.
   *
   * @throws service_unavailable when too many hashes are waiting already
   */
  async verifyAny(hashes: readonly string[], password: string, work?: HashWork): Promise<boolean> {
    const [first] = hashes;
    const salt = first?.startsWith(this.#prefix) ? saltOf(first) : undefined;
    if (!salt || password.length > LONGEST_PASSWORD) return this.verify(first, password, work);
    const computed = await this.hash(password, { ...work, salt });
    if (hashes.includes(computed)) return true;
    const isOurs = saltOf(computed)?.equals(salt) ?? false;
    return isOurs ? false : this.verify(first, password, work); // a subclass that has its own way to hash
  }

  /**
   * Whether a hash was made with other parameters than today's, and should be made again when the password is at hand.
   */
  isOutdated(passwordHash: string): boolean {
    return !passwordHash.startsWith(this.#prefix);
  }
}

/** The salt of a hash in PHC form. */
function saltOf(passwordHash: string): Buffer | undefined {
  const [, , , , salt] = passwordHash.split('$');
  return salt ? Buffer.from(salt, 'base64') : undefined;
}
