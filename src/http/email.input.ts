import { LoginEmail } from './field.decorator.js';

export class EmailInput {
  @LoginEmail()
  email!: string;
}
