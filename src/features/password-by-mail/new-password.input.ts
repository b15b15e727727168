import { Password } from '../../http/field.decorator.js';

export class NewPasswordInput {
  @Password()
  newPassword!: string;
}
