import { type KeyObject, randomInt, timingSafeEqual } from 'node:crypto';
import type { AuthKernel } from '../../kernel.js';
import type { LimitedCounter } from '../../limits/counters.js';
import { keyedHash } from '../../secrets/keyed-hash.js';
import { createRandomKey, hashOfRandomKey, isRandomKey } from '../../secrets/random-key.js';
import type { MagicLinkStore, MailedSignIn } from './magic-link-store.js';

const DIGITS = 6;

/**
 * How many wrong codes an address can have in a day, over all requests. Each request allows three, and strangers can
 * make requests for an address. Without this limit, a stranger who continues for a year would probably guess a code.
 */
const WRONG_CODES_A_DAY = { count: 20, seconds: 86_400, scope: 'account' } as const;

/** A code that may be used, with the request that it belongs to. */
export interface RightCode {
  readonly requestHash: string;
  readonly signIn: MailedSignIn;
}

/** Makes and checks the six-digit codes of mails. A code is bound to its request: without it, it is worth nothing. */
export class MailedCodes {
  /** Makes the stored hashes of codes: keyed, because a code has few bits. */
  readonly #codeKey: KeyObject;
  readonly #limitKey: KeyObject;

  constructor(
    private readonly kernel: Pick<AuthKernel, 'counters' | 'encryption'> & { readonly magicLinkStore: MagicLinkStore },
  ) {
    this.#codeKey = kernel.encryption.hashKey('magic link codes');
    this.#limitKey = kernel.encryption.hashKey('magic link limits');
  }

  /** Makes a code for a request. */
  create(requestHash: string): { readonly code: string; readonly codeHash: string } {
    const code = String(randomInt(10 ** DIGITS)).padStart(DIGITS, '0');
    return { code, codeHash: this.#hashOf(requestHash, code) };
  }

  /** The hash of no code, for a request to which nothing is mailed. */
  static hashOfNone(): string {
    return hashOfRandomKey(createRandomKey());
  }

  /**
   * Calls `use` if the code is right. The attempt is counted first. It stays counted if the code is wrong, and is
   * subtracted again if `use` fails for any other reason.
   *
   * @param onWrong called for a wrong code
   * @returns undefined if the code is wrong, or cannot be used any more
   */
  async attempt<T>(
    { request, code }: { readonly request: string; readonly code: string },
    use: (right: RightCode) => Promise<T | undefined>,
    onWrong: (signIn: MailedSignIn) => Promise<void>,
  ): Promise<T | undefined> {
    if (!isRandomKey(request)) return undefined;
    const { magicLinkStore, counters } = this.kernel;
    const requestHash = hashOfRandomKey(request);
    const found = await magicLinkStore.countAttempt(requestHash);
    if (!found) return undefined;
    const { counted, retryAfter } = await counters.reserve([this.#counterOf(found.email)]);
    // Not looked at: the link must stay usable for the owner of the mailbox.
    if (retryAfter !== undefined) return magicLinkStore.releaseAttempt(requestHash).then(() => undefined);
    if (!isSame(found.codeHash, this.#hashOf(requestHash, normalizeCode(code)))) {
      await onWrong(found);
      return undefined;
    }
    const release = () => counters.release(counted).catch(() => {});
    try {
      const result = await use({ requestHash, signIn: found });
      await release();
      return result;
    } catch (error) {
      await Promise.all([release(), magicLinkStore.releaseAttempt(requestHash).catch(() => {})]);
      throw error;
    }
  }

  #hashOf(requestHash: string, code: string): string {
    return keyedHash(this.#codeKey, [requestHash, code]);
  }

  #counterOf(email: string): LimitedCounter {
    return { key: keyedHash(this.#limitKey, [email]), limit: WRONG_CODES_A_DAY };
  }
}

/** A code as a person typed it, without spaces and dashes. */
function normalizeCode(typed: string): string {
  return typed.slice(0, 32).replace(/[\s-]/g, '');
}

function isSame(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
