import { Password } from './field.decorator.js';

export class AccountDeletionInput {
  @Password()
  password!: string;
}
