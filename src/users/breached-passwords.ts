import { createHash } from 'node:crypto';
import { WarningLimit } from '../observability/warning-limit.js';
import { normalizePassword } from './password-normalization.js';
import { type PasswordOwnerFacts, PasswordPolicy } from './password-policy.js';

/** Characters of the SHA-1, in hexadecimal, that are sent. */
const PREFIX_LENGTH = 5;

/** Bytes of an answer that are read; a padded one has about 50,000. */
const MAX_RESPONSE_BYTES = 1_000_000;

/** Requests at the same time; a password beyond them passes. */
const MAX_PARALLEL_REQUESTS = 20;

/**
 * The password policy, and a look whether a new password is known from a breach (Have I Been Pwned, range query with
 * k-anonymity). Only the first five characters of the SHA-1 leave the server. The answer is padded, so that its length
 * tells an observer nothing. If the service does not answer in time, the password passes, and the log has a warning.
 *
 * It is off by default: `createJwtAllauth({ services: [BreachedPasswords] })`. A subclass can name another server.
 *
 * @see https://haveibeenpwned.com/API/v3#SearchingPwnedPasswordsByRange
 */
export class BreachedPasswords extends PasswordPolicy {
  /** What comes before the five characters in the address of the request. */
  protected readonly rangeUrl: string = 'https://api.pwnedpasswords.com/range/';
  /** For how many milliseconds an answer is waited. */
  protected readonly timeoutMilliseconds: number = 1000;
  readonly #warnings = new WarningLimit(this.kernel.clock);
  #requests = 0;

  override async faults(password: string, owner: PasswordOwnerFacts): Promise<readonly string[]> {
    const faults = await super.faults(password, owner);
    if (faults.length > 0 || !(await this.#isBreached(password))) return faults;
    return ['is known from a breach of another site; use one that you use nowhere else'];
  }

  async #isBreached(password: string): Promise<boolean> {
    if (this.#requests >= MAX_PARALLEL_REQUESTS) return this.#accept('too many requests at the same time');
    this.#requests++;
    try {
      const hash = createHash('sha1').update(normalizePassword(password)).digest('hex').toUpperCase();
      const lines = await this.#fetchSuffixes(hash.slice(0, PREFIX_LENGTH));
      return lines.some((line) => {
        const [suffix, count] = line.trim().split(':');
        return suffix?.toUpperCase() === hash.slice(PREFIX_LENGTH) && Number(count) > 0; // padding has the count 0
      });
    } catch (error) {
      // The message of an error can have the address in it.
      return this.#accept(
        error instanceof RangeError ? error.message : error instanceof Error ? error.name : 'unknown',
      );
    } finally {
      this.#requests--;
    }
  }

  /** The lines `suffix:count` of a prefix. */
  async #fetchSuffixes(prefix: string): Promise<string[]> {
    const response = await fetch(`${this.rangeUrl}${prefix}`, {
      headers: { 'Add-Padding': 'true', 'User-Agent': 'jwt-allauth' },
      redirect: 'error',
      signal: AbortSignal.timeout(this.timeoutMilliseconds),
    });
    if (response.status !== 200 || !response.body) {
      await response.body?.cancel();
      throw new RangeError(`status ${response.status}`);
    }
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of response.body) {
      length += chunk.length;
      if (length > MAX_RESPONSE_BYTES) throw new RangeError('the answer is too long');
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('latin1').split('\n');
  }

  #accept(reason: string): false {
    const admitted = this.#warnings.admit(reason);
    if (admitted) this.kernel.logger.warn({ reason, ...admitted }, 'a new password was not looked up in breaches');
    return false;
  }
}
