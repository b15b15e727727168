import { Transform } from 'class-transformer';
import { IsEmail, IsString, Matches, ValidateIf } from 'class-validator';
import { normalizeEmail } from '../../users/email.js';

const message = (text: string) => ({ message: text });
const all =
  (...decorators: PropertyDecorator[]) =>
  (target: object, key: string | symbol) => {
    for (const decorate of decorators) decorate(target, key);
  };

/** A field that may be left out; null is not leaving out. */
export const Optional = () => ValidateIf((_, value) => value !== undefined);

/** A secret of any form; the rules for new passwords need more than the field (see users/password-rules). */
export const Password = () => IsString(message('must be a string'));

/** Characters of the longest text that is normalised: the time for it grows with the square of what an attacker sends. */
const LONGEST = 1000;
const isNormalizable = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= LONGEST && value.isWellFormed();

/** The address of an account that may exist, in its normal form: anything that looks like one. */
export const LoginEmail = () =>
  all(
    Transform(({ value }) => (isNormalizable(value) ? normalizeEmail(value) : null)),
    Matches(/^(?=.{1,254}$)[^\s\p{Cc}]+@[^\s\p{Cc}]+$/u, message('must be an e-mail address')),
  );

/** The address of a new account. */
export const NewEmail = () => all(LoginEmail(), IsEmail({}, message('must be an e-mail address that mail can reach')));

/** A name of a person, in any script; its length is counted as the column counts it. */
export const PersonName = () =>
  all(
    Optional(),
    Matches(/^[^\p{Cc}\p{Cs}]*$/u, message('must be a string without control characters')),
    Matches(/^.{0,150}$/su, message('must have at most 150 characters')),
  );
