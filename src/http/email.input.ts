import { LoginEmail } from './field.decorator.js';

/** The body of a request about an address. */
export class EmailInput {
  @LoginEmail()
  email!: string;
}
