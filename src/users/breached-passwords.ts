import { createHash } from 'node:crypto';
import { WarningLimit } from '../observability/warning-limit.js';
import { normalizePassword } from './password-normalization.js';
import { type PasswordOwnerFacts, PasswordPolicy } from './password-policy.js';

/** How many hexadecimal digits of the SHA-1 are sent. */
const PREFIX_LENGTH = 5;

/** Maximum size of a response. A padded response has about 50,000 bytes. */
const MAX_RESPONSE_BYTES = 1_000_000;

/** Maximum number of parallel requests to the service. Further passwords are accepted without a check. */
const MAX_PARALLEL_REQUESTS = 20;

/**
 * A password policy that also refuses passwords from known data breaches (Have I Been Pwned, range query with
 * k-anonymity). Only the first five digits of the SHA-1 leave the server. Responses are padded, so that their length
 * reveals nothing. If a password cannot be checked, for example because the service does not answer in time, the
 * password is accepted and a warning is logged (`WarningLimit`).
 *
 * To use it: `createJwtAllauth({ services: [BreachedPasswords] })`. A subclass can use another server.
 *
 * @see https://haveibeenpwned.com/API/v3#SearchingPwnedPasswordsByRange
 */
export class BreachedPasswords extends PasswordPolicy {
  /** The URL of a range query, without the five digits. */
  protected readonly rangeUrl: string = 'https://api.pwnedpasswords.com/range/';
  /** How long to wait for a response, in milliseconds. */
  protected readonly timeoutMilliseconds: number = 1000;
  readonly #warnings = new WarningLimit(this.kernel.clock);
  #requests = 0;

  override async remoteFaults(password: string, owner: PasswordOwnerFacts): Promise<readonly string[]> {
    const faults = await super.remoteFaults(password, owner);
    if (faults.length > 0 || !(await this.#isBreached(password))) return faults;
    return ['is known from a data breach of another site; use a password that you use nowhere else'];
  }

  async #isBreached(password: string): Promise<boolean> {
    if (this.#requests >= MAX_PARALLEL_REQUESTS) return this.#accept('too many requests at the same time');
    this.#requests++;
    try {
      const hash = createHash('sha1').update(normalizePassword(password)).digest('hex').toUpperCase();
      const lines = await this.#fetchSuffixes(hash.slice(0, PREFIX_LENGTH));
      return lines.some((line) => {
        const [suffix, count] = line.trim().split(':');
        return suffix?.toUpperCase() === hash.slice(PREFIX_LENGTH) && Number(count) > 0; // padding has 0
      });
    } catch (error) {
      // The message of an error can contain the URL with the digits.
      return this.#accept(
        error instanceof RangeError ? error.message : error instanceof Error ? error.name : 'unknown',
      );
    } finally {
      this.#requests--;
    }
  }

  /** Queries a prefix. Returns the lines `suffix:count` of the response. */
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
      if (length > MAX_RESPONSE_BYTES) throw new RangeError('the response is too long');
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('latin1').split('\n');
  }

  #accept(reason: string): false {
    const admitted = this.#warnings.admit(reason);
    if (admitted)
      this.kernel.logger.warn({ reason, ...admitted }, 'a new password was not checked against known breaches');
    return false;
  }
}
