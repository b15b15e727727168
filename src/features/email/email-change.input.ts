import { NewEmail, Password } from '../../http/field.decorator.js';

export class EmailChangeInput {
  @NewEmail()
  email!: string;

  @Password()
  password!: string;
}
