import { dictionary } from '@zxcvbn-ts/language-common';
import { validationFailed } from '../error.js';
import { normalizeEmail } from './email.js';
import { LONGEST_PASSWORD, normalizePassword } from './password-normalization.js';

const MINIMUM = 8;
const MAXIMUM = 128;

/** Passwords that guessers try first; only those that are long enough to get this far. */
const COMMON = new Set(dictionary['passwords-common'].filter((password) => password.length >= MINIMUM));

/** What is wrong with a new password, in sentences for people; empty when it may be used (NIST SP 800-63B §5.1.1.2). */
function passwordFaults(password: string, email: string): string[] {
  if (!password.isWellFormed()) return ['must be well-formed Unicode'];
  if (password.length > LONGEST_PASSWORD) return [`must have at most ${MAXIMUM} characters`];
  const normal = normalizePassword(password);
  const length = [...normal].length;
  if (length < MINIMUM) return [`must have at least ${MINIMUM} characters`];
  if (length > MAXIMUM) return [`must have at most ${MAXIMUM} characters`];
  if (normalizeEmail(normal) === normalizeEmail(email.normalize('NFKC'))) return ['must not be the e-mail address'];
  if (COMMON.has(normal.toLowerCase())) return ['is one of the most common passwords'];
  return [];
}

/** @throws validation_failed that names `field` unless the password may be used */
export function assertPasswordAllowed(field: string, password: string, email: string): void {
  const messages = passwordFaults(password, email);
  if (messages.length > 0) throw validationFailed([{ field, messages }]);
}
