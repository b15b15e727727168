import { Password } from '../../http/field.decorator.js';

/** The body of a request that deletes the caller's account. */
export class AccountDeletionInput {
  @Password()
  password!: string;
}
