import { OpaqueText, Optional } from '../../http/field.decorator.js';

/** The body of a set-up. */
export class TotpSetupInput {
  /** The challenge of a sign-in. Without it, the request needs an access token. */
  @Optional()
  @OpaqueText()
  challenge?: string;
}
