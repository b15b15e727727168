import { NewEmail, Password, PersonName } from '../../http/field.decorator.js';

/** The body of a sign-up. An app adds fields by a subclass: `createJwtAllauth({ inputs })`. */
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
