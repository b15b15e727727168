import { Optional, Password } from '../../http/field.decorator.js';

/** The body of a password change. */
export class PasswordChangeInput {
  /** Required if the user has a password. Ignored if OLD_PASSWORD_FIELD_ENABLED is false. */
  @Optional()
  @Password()
  oldPassword?: string;

  @Password()
  newPassword!: string;
}
