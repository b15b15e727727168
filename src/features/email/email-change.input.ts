import { NewEmail, Optional, Password } from '../../http/field.decorator.js';

/** The body of an address change. */
export class EmailChangeInput {
  @NewEmail()
  email!: string;

  /** Required if the user has a password. */
  @Optional()
  @Password()
  password?: string;
}
