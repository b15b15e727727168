import { Password } from '../../http/field.decorator.js';

export class AccountDeletionInput {
  @Password()
  password!: string;
}
