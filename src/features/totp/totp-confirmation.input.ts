import { Choice, OpaqueText, Optional } from '../../http/field.decorator.js';

/** The body that confirms a set-up. */
export class TotpConfirmationInput {
  /** The challenge of a sign-in. Without it, the request needs an access token. */
  @Optional()
  @OpaqueText()
  challenge?: string;

  @OpaqueText()
  code!: string;

  @Optional()
  @Choice()
  revokeOthers?: boolean;
}
