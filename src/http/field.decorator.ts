import { Transform } from 'class-transformer';
import { IsString, isEmail, Matches, ValidateBy, ValidateIf } from 'class-validator';
import { hasInvisible, mailDomain, normalizeEmail } from '../users/email.js';

const message = (text: string) => ({ message: text });

/** Classes that have a field of ours. */
const inputs = new WeakSet<object>();

/** Whether a class is an input of this library; its rules stand beside the app's in the storage of class-validator. */
export function isLibraryInput(type: object): boolean {
  return inputs.has(type);
}

const all =
  (...decorators: PropertyDecorator[]) =>
  (target: object, key: string | symbol) => {
    inputs.add(target.constructor);
    for (const decorate of decorators) decorate(target, key);
  };

/** A field that may be left out; null is not leaving out. */
export const Optional = () => ValidateIf((_, value) => value !== undefined);

/** A secret of any form; the rules for new passwords need more than the field (see users/password-policy.service). */
export const Password = () => all(IsString(message('must be a string')));

/**
 * Characters of the longest text that is normalised: the time for it grows with the square of what an attacker sends.
 */
const LONGEST = 1000;
const isNormalizable = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= LONGEST && value.isWellFormed();

const EmailForm = () => Matches(/^(?=.{1,254}$)[^\s\p{Cc}]+@[^\s\p{Cc}]+$/u, message('must be an e-mail address'));

/** The address of an account that may exist, in its normal form: anything that looks like one. */
export const LoginEmail = () =>
  all(
    Transform(({ value }) => (isNormalizable(value) ? normalizeEmail(value) : null)),
    EmailForm(),
  );

/** The address of a new account, in its normal form: no quotes, no percent-escapes, nothing that is not seen. */
export const NewEmail = () =>
  all(
    // The normal form of a domain has no invisible characters any more: what has some stays as it was sent.
    Transform(({ value }) => {
      if (!isNormalizable(value)) return null;
      return hasInvisible(value) ? value : normalizeEmail(value);
    }),
    EmailForm(),
    TextRule('isVisible', 'must have no invisible characters; type it instead of pasting it', (email) => {
      return !hasInvisible(email);
    }),
    TextRule('isReachable', 'must be an e-mail address that mail can reach', (email) => {
      return hasInvisible(email) || isReachable(email);
    }),
  );

function isReachable(email: string): boolean {
  return isEmail(email, { blacklisted_chars: '"%' }) && mailDomain(email.slice(email.lastIndexOf('@') + 1)) !== '';
}

/** A rule of a text; another rule says that it must be one. */
function TextRule(name: string, text: string, isMet: (value: string) => boolean): PropertyDecorator {
  const validate = (value: unknown) => typeof value !== 'string' || isMet(value);
  return ValidateBy({ name, validator: { validate, defaultMessage: () => text } });
}

/** A name of a person, in any script; its length is counted as the column counts it. */
export const PersonName = () =>
  all(
    Optional(),
    IsString(message('must be a string')),
    TextRule('isPrintable', 'must be a string without control characters', (name) => /^[^\p{Cc}\p{Cs}]*$/u.test(name)),
    TextRule('isShort', 'must have at most 150 characters', (name) => /^.{0,150}$/su.test(name)),
  );
