import { NewEmail, Password, PersonName } from '../../http/field.decorator.js';

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
