import { LoginEmail, Password } from './field.decorator.js';

export class LoginInput {
  @LoginEmail()
  email!: string;

  @Password()
  password!: string;
}
