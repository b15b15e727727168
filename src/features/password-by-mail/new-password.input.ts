import { Password } from '../../http/field.decorator.js';

/** The body that sets a new password after a mailed link. */
export class NewPasswordInput {
  @Password()
  newPassword!: string;
}
