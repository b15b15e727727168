import { OpaqueText } from '../../http/field.decorator.js';

/** The body that signs in with a mailed code. */
export class MagicLinkCodeInput {
  /** From the answer to the request for the mail. */
  @OpaqueText()
  request!: string;

  /** Six digits. Spaces and dashes are ignored. */
  @OpaqueText()
  code!: string;
}
