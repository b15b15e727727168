import { availableParallelism } from 'node:os';
import { hash, verify } from '@node-rs/argon2';
import { JwtAllauthError } from '../error.js';
import type { Logger } from '../observability/logger.js';
import { HashQueue, type HashWork } from './hash-queue.js';
import type { LegacyPasswords } from './legacy-passwords.js';
import { LONGEST_PASSWORD, normalizePassword } from './password-normalization.js';
import { verifyLegacyHash } from './verify-legacy-hash.js';

/** The argon2id parameters that OWASP recommends (Password Storage Cheat Sheet): 19 MiB, two passes, one lane. */
const PARAMETERS: Argon2Parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** A salt and hash of no password. Verified for a user without a hash, so that the answer takes the same time. */
const DECOY_SALT_AND_HASH = 'op0sx3mg0rrd0UvDlbGKuQ$Si06k3SzHHI886uMg7T/lzagLkCCPUwiXUk4wBREShU';

/**
 * Maximum number of parallel hashes. Each takes 19 MiB and one of libuv's four threads, which the app needs for files
 * and DNS as well.
 */
const MAX_PARALLEL = Math.min(3, availableParallelism());

/** Maximum number of waiting requests. Further ones are refused, so that a flood does not fill the memory. */
const MAX_WAITING = 256;

/** Maximum number of waiting requests of one network. */
const MAX_WAITING_PER_NETWORK = 64;

/** Cost parameters of argon2id (RFC 9106 §3.1). */
export interface Argon2Parameters {
  /** Memory, in KiB. */
  readonly memoryCost: number;
  /** Number of passes over the memory. */
  readonly timeCost: number;
  /** Number of lanes. */
  readonly parallelism: number;
}

/** Options of `PasswordHasher.hash`. */
export interface HashOptions extends HashWork {
  /** At least 16 bytes. Default: random. */
  readonly salt?: Uint8Array;
}

/**
 * Hashes and verifies passwords with argon2id, on the thread pool, so that the event loop is not blocked. The number of
 * parallel hashes is limited, so that many logins cannot exhaust the memory. Networks of clients take turns, and
 * sign-ins come before sign-ups, so that one network cannot block the others (`HashQueue`).
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

  /** The parameters of new hashes. An app can override them. Older hashes are replaced at the next sign-in. */
  protected get parameters(): Argon2Parameters {
    return PARAMETERS;
  }

  /** The beginning of every hash with the current parameters. */
  get #prefix(): string {
    const { memoryCost, timeCost, parallelism } = this.parameters;
    return `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$`;
  }

  get #decoy(): string {
    return this.#prefix + DECOY_SALT_AND_HASH;
  }

  /** Hashes a password. @throws service_unavailable if too many requests are waiting */
  async hash(password: string, { salt, ...work }: HashOptions = {}): Promise<string> {
    return this.#queue.run(() => hash(normalizePassword(password), { ...this.parameters, salt }), work);
  }

  /**
   * Whether `password` belongs to `passwordHash`. Without a hash (no such user, or a user without a password) and for a
   * hash of an unknown form it does the same work and returns false, so that the time does not reveal who has an
   * account. A hash with other parameters, or for `legacyPasswords`, is verified in parallel with that work.
   *
   * @throws service_unavailable if too many requests are waiting
   */
  async verify(passwordHash: string | null | undefined, password: string, work?: HashWork): Promise<boolean> {
    const isPlausible = Boolean(passwordHash) && password.length <= LONGEST_PASSWORD;
    if (isPlausible && passwordHash && !passwordHash.startsWith(this.#prefix))
      return this.#verifyOlder(passwordHash, password, work);
    const candidate = isPlausible ? normalizePassword(password) : '';
    const check = (expected: string) => this.#queue.run(() => verify(expected, candidate), work);
    const isRight = await check(passwordHash || this.#decoy).catch((error) => {
      if (error instanceof JwtAllauthError) throw error;
      return check(this.#decoy); // not a hash, only its beginning: do the same work
    });
    return isRight && isPlausible;
  }

  /** Verifies a hash of an older system or with other parameters, with the app's check and the library's own. */
  async #verifyOlder(passwordHash: string, password: string, work?: HashWork): Promise<boolean> {
    const { legacyPasswords } = this.kernel;
    const isForApp = !passwordHash.startsWith('$argon2id$');
    const isArgon2 = passwordHash.startsWith('$argon2');
    const checks = async () => {
      const [isRight, isRightForApp] = await Promise.all([
        isArgon2 && verify(passwordHash, normalizePassword(password)).catch(() => false),
        legacyPasswords && isForApp && this.#askApp(legacyPasswords, passwordHash, password),
        verify(this.#decoy, ''), // the usual work, so that the answer is not faster than for other addresses
      ]);
      return Boolean(isRight || isRightForApp);
    };
    return this.#queue.run(checks, work);
  }

  async #askApp(legacyPasswords: LegacyPasswords, passwordHash: string, password: string): Promise<boolean> {
    try {
      return await verifyLegacyHash(legacyPasswords, passwordHash, password);
    } catch (error) {
      const reason = error instanceof Error ? error.name : typeof error; // its message may contain the hash
      this.kernel.logger?.error({ reason }, 'legacyPasswords.verify failed: its result counts as false');
      return false;
    }
  }

  /**
   * Whether `password` belongs to one of several hashes. Does the work of a single `verify`, also without any hash.
   * Compares the first hash and, if its parameters are current, the others with the same salt and parameters.
   *
   * @throws service_unavailable if too many requests are waiting
   */
  async verifyAny(hashes: readonly string[], password: string, work?: HashWork): Promise<boolean> {
    const [first] = hashes;
    const salt = first?.startsWith(this.#prefix) ? saltOf(first) : undefined;
    if (!salt || password.length > LONGEST_PASSWORD) return this.verify(first, password, work);
    const computed = await this.hash(password, { ...work, salt });
    if (hashes.includes(computed)) return true;
    const hasUsedSalt = saltOf(computed)?.equals(salt) ?? false;
    return hasUsedSalt ? false : this.verify(first, password, work); // a subclass may hash without the given salt
  }

  /** Whether a hash is not argon2id with the current parameters, and should be replaced when the password is known. */
  isOutdated(passwordHash: string): boolean {
    return !passwordHash.startsWith(this.#prefix);
  }
}

/** The salt of a hash in PHC form. */
function saltOf(passwordHash: string): Buffer | undefined {
  const [, , , , salt] = passwordHash.split('$');
  return salt ? Buffer.from(salt, 'base64') : undefined;
}
