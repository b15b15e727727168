import { LoginEmail, Password } from '../../http/field.decorator.js';

export class LoginInput {
  @LoginEmail()
  email!: string;

  @Password()
  password!: string;
}
