import { NewEmail, Password, PersonName } from './field.decorator.js';

/** The body of a sign-up. To add fields, extend this class: `createJwtAllauth({ inputs })`. */
export class RegistrationInput {
  @NewEmail()
  email!: string;

  @Password()
  password!: string;

  @PersonName()
  firstName?: string;

  @PersonName()
  lastName?: string;
}
