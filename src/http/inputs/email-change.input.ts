import { NewEmail, Password } from './field.decorator.js';

export class EmailChangeInput {
  @NewEmail()
  email!: string;

  @Password()
  password!: string;
}
