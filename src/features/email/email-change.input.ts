import { NewEmail, Password } from '../../http/field.decorator.js';

/** The body of an address change. */
export class EmailChangeInput {
  @NewEmail()
  email!: string;

  @Password()
  password!: string;
}
