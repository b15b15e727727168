import { NewEmail, Password } from '../../http/field.decorator.js';

/** The body of a request for another address. */
export class EmailChangeInput {
  @NewEmail()
  email!: string;

  @Password()
  password!: string;
}
