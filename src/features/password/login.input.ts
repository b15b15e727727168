import { LoginEmail, Password } from '../../http/field.decorator.js';

/** The body of a sign-in. */
export class LoginInput {
  @LoginEmail()
  email!: string;

  @Password()
  password!: string;
}
