import { availableParallelism } from 'node:os';
import { hash, verify } from '@node-rs/argon2';
import { serviceUnavailable } from '../error.js';

/** argon2id as OWASP recommends it (Password Storage Cheat Sheet): 19 MiB, two passes, one lane. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
const CURRENT = `$argon2id$v=19$m=${PARAMETERS.memoryCost},t=${PARAMETERS.timeCost},p=${PARAMETERS.parallelism}$`;

/** The hash of random bytes that nobody kept, to be checked where there is no other. */
const DECOY = '$argon2id$v=19$m=19456,t=2,p=1$op0sx3mg0rrd0UvDlbGKuQ$Si06k3SzHHI886uMg7T/lzagLkCCPUwiXUk4wBREShU';

/** Hashes at work at the same time: more would not be faster, and each holds 19 MiB. */
const PARALLEL = Math.min(4, availableParallelism());

/** Requests that may wait for a hash; a flood beyond them is turned away instead of kept in memory. */
const WAITING = 256;

/**
 * Passwords at rest: argon2id, computed on the thread pool so that the event loop goes on, and bounded in parallel so that
 * a flood of logins cannot exhaust memory. Passwords are normalised (NFKC, NIST SP 800-63B §5.1.1.2), so that one typed on
 * another keyboard is the same.
 */
export class PasswordHasher {
  #running = 0;
  readonly #queue: (() => void)[] = [];

  /** @throws service_unavailable when too many hashes are waiting already */
  async hash(password: string): Promise<string> {
    return this.#bounded(() => hash(password.normalize('NFKC'), PARAMETERS));
  }

  /**
   * Whether `password` belongs to `passwordHash`. Without a hash (no such user, or none with a password) the answer is
   * false after the same work, so that time does not tell who has an account.
   *
   * @throws service_unavailable when too many hashes are waiting already
   */
  async verify(passwordHash: string | null | undefined, password: string): Promise<boolean> {
    const matches = await this.#bounded(() =>
      verify(passwordHash || DECOY, password.normalize('NFKC')).catch(() => false),
    );
    return matches && Boolean(passwordHash);
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
