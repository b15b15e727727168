import { OpaqueText, Optional } from '../../http/field.decorator.js';

/** The body of a request to connect an account. */
export class SocialConnectionInput {
  /** Where the browser goes afterwards. */
  @Optional()
  @OpaqueText()
  returnTo?: string;
}
