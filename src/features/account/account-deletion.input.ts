import { Optional, Password } from '../../http/field.decorator.js';

/** The body of a request that deletes the caller's account. */
export class AccountDeletionInput {
  /** Required if the user has a password. */
  @Optional()
  @Password()
  password?: string;
}
