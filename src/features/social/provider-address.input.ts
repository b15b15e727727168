import { NewEmail } from '../../http/field.decorator.js';

/** An address that a provider named. The rules are those of a sign-up. */
export class ProviderAddressInput {
  @NewEmail()
  email!: string;
}
