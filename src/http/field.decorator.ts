import { Transform } from 'class-transformer';
import { IsBoolean, IsString, isEmail, Matches, ValidateBy, ValidateIf } from 'class-validator';
import { hasInvisible, mailDomain, normalizeEmail } from '../users/email.js';

const message = (text: string) => ({ message: text });

/** Classes with a field of the library. */
const inputs = new WeakSet<object>();

/** Whether a class is an input of the library. class-validator stores its rules together with the app's. */
export function isLibraryInput(type: object): boolean {
  return inputs.has(type);
}

const all =
  (...decorators: PropertyDecorator[]) =>
  (target: object, key: string | symbol) => {
    inputs.add(target.constructor);
    for (const decorate of decorators) decorate(target, key);
  };

/** An optional field. It may be missing, but not null. */
export const Optional = () => ValidateIf((_, value) => value !== undefined);

/** A password or token in any form. The rules for new passwords need more than this field (users/password-policy). */
export const Password = () => all(IsString(message('must be a string')));

/** A code or an opaque string that the library made. It is checked elsewhere. */
export const OpaqueText = () => all(IsString(message('must be a string')));

/** A choice between true and false. */
export const Choice = () => all(IsBoolean(message('must be true or false')));

/** Maximum length of a text that is normalised: the time grows with the square of the length. */
const MAX_NORMALIZED_LENGTH = 1000;
const isNormalizable = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= MAX_NORMALIZED_LENGTH && value.isWellFormed();

const EmailForm = () => Matches(/^(?=.{1,254}$)[^\s\p{Cc}]+@[^\s\p{Cc}]+$/u, message('must be an e-mail address'));

/** The address of an account that may exist, normalised. Accepts anything that looks like an address. */
export const LoginEmail = () =>
  all(
    Transform(({ value }) => (isNormalizable(value) ? normalizeEmail(value) : null)),
    EmailForm(),
  );

/** The address of a new account, normalised. Refuses quotes, percent signs and invisible characters. */
export const NewEmail = () =>
  all(
    // Normalising a domain removes invisible characters, so a value with some is kept as it was sent.
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

/** Whether an address is allowed for a new account (`NewEmail`), and names one mailbox. */
export function isNewEmail(email: string): boolean {
  return !hasInvisible(email) && isReachable(email);
}

function isReachable(email: string): boolean {
  return isEmail(email, { blacklisted_chars: '"%' }) && mailDomain(email.slice(email.lastIndexOf('@') + 1)) !== '';
}

/** A rule for a string; another rule checks that the value is one. */
function TextRule(name: string, text: string, isMet: (value: string) => boolean): PropertyDecorator {
  const validate = (value: unknown) => typeof value !== 'string' || isMet(value);
  return ValidateBy({ name, validator: { validate, defaultMessage: () => text } });
}

/** A person's name, in any script. Its length is counted in characters, as the database column counts it. */
export const PersonName = () =>
  all(
    Optional(),
    IsString(message('must be a string')),
    TextRule('isPrintable', 'must be a string without control characters', (name) => /^[^\p{Cc}\p{Cs}]*$/u.test(name)),
    TextRule('isShort', 'must have at most 150 characters', (name) => /^.{0,150}$/su.test(name)),
  );
