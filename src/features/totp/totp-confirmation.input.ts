import { Choice, OpaqueText, Optional } from '../../http/field.decorator.js';
import { TotpSetupInput } from './totp-setup.input.js';

/** The body that confirms a set-up. */
export class TotpConfirmationInput extends TotpSetupInput {
  @OpaqueText()
  code!: string;

  @Optional()
  @Choice()
  revokeOthers?: boolean;
}
