import type { Clock } from '../clock.js';
import type { FieldError } from '../error.js';
import { authError } from '../error-table.js';
import type { Logger } from '../observability/logger.js';
import type { Settings } from '../settings/settings.js';
import { normalizeEmail } from './email.js';
import { LONGEST_PASSWORD, normalizePassword } from './password-normalization.js';
import { weaknessOf } from './password-strength.js';

/** Maximum length of a password, in characters after normalisation. */
const MAX_LENGTH = 128;

/**
 * Minimum length of a personal word that a password is searched for. A shorter word, such as the name `Li`, also occurs
 * within many ordinary words.
 */
const MIN_WORD_LENGTH = 3;
/** Maximum number of personal words that a password is searched for: each word costs time, and a name can have many. */
const MAX_WORDS = 20;

const ADVICE = 'use several words that have nothing to do with each other';

/**
 * Facts about the owner of a password. An attacker may know them too, and use them to guess the password. Values that
 * are not strings are ignored, because they can come from a request that is not validated yet.
 */
export interface PasswordOwnerFacts {
  readonly email?: unknown;
  readonly firstName?: unknown;
  readonly lastName?: unknown;
}

/**
 * The rules for new passwords (NIST SP 800-63B §5.1.1.2): length, and resistance to guessing. They apply to every new
 * password: at sign-up, password change, reset and invitation.
 *
 * To replace the policy, pass a subclass: `createJwtAllauth({ services: [MyPolicy] })`.
 *
 * @example
 * ```ts
 * class MyPolicy extends PasswordPolicy {
 *   override async faults(password: string, owner: PasswordOwnerFacts) {
 *     const faults = await super.faults(password, owner);
 *     return password.includes('acme') ? [...faults, 'must not contain the name of the company'] : faults;
 *   }
 * }
 * ```
 */
export class PasswordPolicy {
  /** Words of the app's own host name (PUBLIC_URL). */
  readonly #site: readonly string[];

  constructor(
    protected readonly kernel: {
      readonly settings: Pick<Settings, 'publicUrl' | 'passwordMinLength'>;
      readonly logger: Logger;
      readonly clock: Clock;
    },
  ) {
    const { publicUrl } = kernel.settings;
    this.#site = publicUrl === undefined ? [] : wordsOfHost(new URL(publicUrl).hostname);
  }

  /**
   * Returns what is wrong with a new password, or an empty list if the password is allowed. Each text continues a
   * sentence that begins with "The password", and never contains the password.
   */
  async faults(password: string, owner: PasswordOwnerFacts): Promise<readonly string[]> {
    const fault = await this.#fault(password, owner);
    return fault === undefined ? [] : [fault];
  }

  /**
   * Like `faults`, for rules that need a request to another server. Called only if `faults` found nothing, and after
   * the request was counted in its rate limit or has proved who sends it. Default: an empty list.
   */
  async remoteFaults(_password: string, _owner: PasswordOwnerFacts): Promise<readonly string[]> {
    return [];
  }

  /**
   * Checks the password in a field of a request, without requests to other servers (`remoteFaults`). Returns `errors`
   * for `validation_failed`, or an empty list if the password is allowed. A value that is not a string also gives an
   * empty list: the rules of the field refuse it.
   */
  async fieldErrors(field: string, password: unknown, owner: PasswordOwnerFacts): Promise<FieldError[]> {
    const messages = typeof password === 'string' ? await this.faults(password, owner) : [];
    return messages.length === 0 ? [] : [{ field, messages: [...messages] }];
  }

  /** @throws validation_failed for `field`, unless `faults` and `remoteFaults` allow the password */
  async assertAllowed(field: string, password: string, owner: PasswordOwnerFacts): Promise<void> {
    await this.assertLocalRules(field, password, owner);
    await this.assertRemoteRules(field, password, owner);
  }

  /** The first half of `assertAllowed`. @throws validation_failed for `field`, unless `faults` allows the password */
  async assertLocalRules(field: string, password: string, owner: PasswordOwnerFacts): Promise<void> {
    const errors = await this.fieldErrors(field, password, owner);
    if (errors.length > 0) throw authError('validation_failed', { errors });
  }

  /** The second half of `assertAllowed`. @throws validation_failed for `field`, unless `remoteFaults` allows it */
  async assertRemoteRules(field: string, password: string, owner: PasswordOwnerFacts): Promise<void> {
    const messages = await this.remoteFaults(password, owner);
    if (messages.length > 0) throw authError('validation_failed', { errors: [{ field, messages: [...messages] }] });
  }

  /** The first fault that is found. Undefined: the password has no fault. */
  async #fault(password: string, owner: PasswordOwnerFacts): Promise<string | undefined> {
    if (!password.isWellFormed()) return 'must be well-formed Unicode';
    // Before the normalisation, which takes too long for longer texts.
    if (password.length > LONGEST_PASSWORD) return `must have at most ${MAX_LENGTH} characters`;
    const normal = normalizePassword(password);
    const length = [...normal].length;
    const minimum = this.kernel.settings.passwordMinLength;
    if (length < minimum) return `must have at least ${minimum} characters`;
    if (length > MAX_LENGTH) return `must have at most ${MAX_LENGTH} characters`;
    if (!/[^\p{Z}\p{C}]/u.test(normal)) return 'must not be blank';
    const email = textOf(owner.email);
    if (email !== '' && normalizeEmail(normal) === normalizeEmail(email)) return 'must not be the e-mail address';
    const weakness = await weaknessOf(normal, [...this.#site, ...contextOf(email, owner)].slice(0, MAX_WORDS));
    return weakness && `${weakness}; ${ADVICE}`;
  }
}

/** Words that an attacker who knows the owner may try: the address, its parts, and the names. */
function contextOf(email: string, { firstName, lastName }: PasswordOwnerFacts): string[] {
  const [local = '', domain = ''] = email.split('@');
  const whole = [email.toLowerCase(), local.toLowerCase()].filter((word) => word.length >= MIN_WORD_LENGTH);
  return [
    ...whole,
    ...(domain ? wordsOfHost(domain) : []),
    ...[local, textOf(firstName), textOf(lastName)].flatMap(wordsOf),
  ];
}

/**
 * The whole host name, and the words of its labels. The last label, such as `com`, is left out, unless it is the only
 * one.
 */
function wordsOfHost(host: string): string[] {
  const labels = host.toLowerCase().split('.');
  return [host.toLowerCase(), ...wordsOf(labels.slice(0, Math.max(1, labels.length - 1)).join(' '))];
}

/** The words of a text, in lower case, without those that are too short (MIN_WORD_LENGTH). */
function wordsOf(name: string): string[] {
  return name
    .toLowerCase()
    .split(/[^\p{L}\p{M}\p{N}]+/u)
    .filter((word) => word.length >= MIN_WORD_LENGTH);
}

/** A value as normalised text. Empty if it is not a string, or too long to normalise. */
function textOf(value: unknown): string {
  return typeof value === 'string' && value.length <= LONGEST_PASSWORD ? value.normalize('NFKC') : '';
}
