import { Transform } from 'class-transformer';
import { IsEmail, IsString, Matches, MaxLength, ValidateIf } from 'class-validator';

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

/** The address of an account that may exist: anything that looks like one. */
export const LoginEmail = () =>
  all(
    Transform(({ value }) => (typeof value === 'string' ? value.trim() : value)),
    Matches(/^[^\s\p{Cc}]+@[^\s\p{Cc}]+$/u, message('must be an e-mail address')),
    MaxLength(254, message('must have at most 254 characters')),
  );

/** The address of a new account. */
export const NewEmail = () => all(LoginEmail(), IsEmail({}, message('must be an e-mail address that mail can reach')));

/** A name of a person, in any script. */
export const PersonName = () =>
  all(
    Optional(),
    Matches(/^\P{Cc}*$/u, message('must be a string without control characters')),
    MaxLength(150, message('must have at most 150 characters')),
  );
