import { availableParallelism } from 'node:os';
import { hash, verify } from '@node-rs/argon2';
import { JwtAllauthError, serviceUnavailable } from '../error.js';
import { LONGEST_PASSWORD, normalizePassword } from './password-normalization.js';

/** argon2id as OWASP recommends it (Password Storage Cheat Sheet): 19 MiB, two passes, one lane. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
const CURRENT = `$argon2id$v=19$m=${PARAMETERS.memoryCost},t=${PARAMETERS.timeCost},p=${PARAMETERS.parallelism}$`;

/** The hash of random bytes that nobody kept, to be checked where there is no other. */
const DECOY = '$argon2id$v=19$m=19456,t=2,p=1$op0sx3mg0rrd0UvDlbGKuQ$Si06k3SzHHI886uMg7T/lzagLkCCPUwiXUk4wBREShU';

/** Hashes at work at the same time: each holds 19 MiB, and libuv's four threads serve the app's files and DNS as well. */
const PARALLEL = Math.min(3, availableParallelism());

/** Requests that may wait for a hash; a flood beyond them is turned away instead of kept in memory. */
const WAITING = 256;

/**
 * Passwords at rest: argon2id, computed on the thread pool so that the event loop goes on, and bounded in parallel so that
 * a flood of logins cannot exhaust memory.
 */
export class PasswordHasher {
  #running = 0;
  readonly #queue: (() => void)[] = [];

  /** @throws service_unavailable when too many hashes are waiting already */
  async hash(password: string): Promise<string> {
    return this.#bounded(() => hash(normalizePassword(password), PARAMETERS));
  }

  /**
   * Whether `password` belongs to `passwordHash`. Without a hash (no such user, or none with a password) the answer is
   * false after the same work, so that time does not tell who has an account.
   *
   * @throws service_unavailable when too many hashes are waiting already
   */
  async verify(passwordHash: string | null | undefined, password: string): Promise<boolean> {
    const isPlausible = Boolean(passwordHash) && password.length <= LONGEST_PASSWORD;
    const candidate = isPlausible ? normalizePassword(password) : '';
    const check = (expected: string) => this.#bounded(() => verify(expected, candidate));
    const isRight = await check(passwordHash || DECOY).catch((error) => {
      if (error instanceof JwtAllauthError) throw error;
      return check(DECOY); // a hash of another kind: wrong, but after the same work
    });
    return isRight && isPlausible;
  }

  /** Whether a hash was made with other parameters than today's, and should be made again when the password is at hand. */
  isOutdated(passwordHash: string): boolean {
    return !passwordHash.startsWith(CURRENT);
  }

  async #bounded<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= PARALLEL) {
      if (this.#queue.length >= WAITING) throw serviceUnavailable();
      await new Promise<void>((resolve) => this.#queue.push(resolve)); // the one that ends hands its place over
    } else {
      this.#running++;
    }
    try {
      return await work();
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#running--;
    }
  }
}
