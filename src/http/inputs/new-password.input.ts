import { Password } from './field.decorator.js';

export class NewPasswordInput {
  @Password()
  newPassword!: string;
}
