import { OpaqueText, Optional } from '../../http/field.decorator.js';

/** The answer to a challenge. It has either `code` or `recoveryCode`. */
export class MfaVerificationInput {
  @OpaqueText()
  challenge!: string;

  @Optional()
  @OpaqueText()
  code?: string;

  @Optional()
  @OpaqueText()
  recoveryCode?: string;
}
