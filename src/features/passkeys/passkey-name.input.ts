import { Matches } from 'class-validator';

/** A name of 1 to 64 characters, without control characters, and not blank. */
export const PasskeyName = () =>
  Matches(/^(?=.*\S)[^\p{Cc}\p{Cs}]{1,64}$/u, {
    message: 'must be a text of 1 to 64 characters, without control characters',
  });

/** The body that renames a passkey. */
export class PasskeyNameInput {
  @PasskeyName()
  name!: string;
}
