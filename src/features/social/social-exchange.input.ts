import { OpaqueText, Optional } from '../../http/field.decorator.js';

/** The code with which a client fetches its session. */
export class SocialExchangeInput {
  @OpaqueText()
  code!: string;

  /** Required if the sign-in has begun with a challenge, and only then. */
  @Optional()
  @OpaqueText()
  verifier?: string;
}
