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

/** Minimum length of a personal word that is searched in passwords: shorter words occur in many others. */
const MIN_WORD_LENGTH = 3;
/** Maximum number of personal words, so that a name with many words does not cost much time. */
const MAX_WORDS = 20;

const ADVICE = 'use several words that have nothing to do with each other';

/** What is known about the owner of a password. An attacker may know it too, and try it in guesses. */
export interface PasswordOwnerFacts {
  readonly email?: unknown;
  readonly firstName?: unknown;
  readonly lastName?: unknown;
}

/**
 * The rules for new passwords (NIST SP 800-63B §5.1.1.2): length, and resistance to guessing. They apply to every new
 * password: at sign-up, password change, reset and invitation. An app replaces the policy by a subclass in `services`.
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
   * What is wrong with a new password. An empty list: the password is allowed. Each text continues a sentence that
   * begins with "The password", and never contains the password.
   */
  async faults(password: string, owner: PasswordOwnerFacts): Promise<readonly string[]> {
    const fault = this.#fault(password, owner);
    return fault === undefined ? [] : [fault];
  }

  /** The faults of a field of a request. Empty if the value is not a string, which other rules refuse. */
  async fieldErrors(field: string, password: unknown, owner: PasswordOwnerFacts): Promise<FieldError[]> {
    const messages = typeof password === 'string' ? await this.faults(password, owner) : [];
    return messages.length === 0 ? [] : [{ field, messages: [...messages] }];
  }

  /** @throws validation_failed for `field`, unless the password is allowed */
  async assertAllowed(field: string, password: string, owner: PasswordOwnerFacts): Promise<void> {
    const errors = await this.fieldErrors(field, password, owner);
    if (errors.length > 0) throw authError('validation_failed', { errors });
  }

  #fault(password: string, owner: PasswordOwnerFacts): string | undefined {
    if (!password.isWellFormed()) return 'must be well-formed Unicode';
    if (password.length > LONGEST_PASSWORD) return `must have at most ${MAX_LENGTH} characters`;
    const normal = normalizePassword(password);
    const length = [...normal].length;
    const minimum = this.kernel.settings.passwordMinLength;
    if (length < minimum) return `must have at least ${minimum} characters`;
    if (length > MAX_LENGTH) return `must have at most ${MAX_LENGTH} characters`;
    if (!/[^\p{Z}\p{C}]/u.test(normal)) return 'must not be blank';
    const email = textOf(owner.email);
    if (email !== '' && normalizeEmail(normal) === normalizeEmail(email)) return 'must not be the e-mail address';
    const weakness = weaknessOf(normal, [...this.#site, ...contextOf(email, owner)].slice(0, MAX_WORDS));
    return weakness && `${weakness}; ${ADVICE}`;
  }
}

function contextOf(email: string, { firstName, lastName }: PasswordOwnerFacts): string[] {
  const [local = '', domain = ''] = email.split('@');
  const whole = [email.toLowerCase(), local.toLowerCase()].filter((word) => word.length >= MIN_WORD_LENGTH);
  return [
    ...whole,
    ...(domain ? wordsOfHost(domain) : []),
    ...[local, textOf(firstName), textOf(lastName)].flatMap(wordsOf),
  ];
}

/** A host and its labels, without the top-level domain. */
function wordsOfHost(host: string): string[] {
  const labels = host.toLowerCase().split('.');
  return [host.toLowerCase(), ...wordsOf(labels.slice(0, Math.max(1, labels.length - 1)).join(' '))];
}

/** The words of a text, in lower case. */
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
