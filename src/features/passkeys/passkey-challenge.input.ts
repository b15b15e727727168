import { OpaqueText, Optional } from '../../http/field.decorator.js';

/** The fields of a body that belongs to a sign-in which may wait for a second factor. */
export class PasskeyChallengeInput {
  /** The challenge of the sign-in. */
  @Optional()
  @OpaqueText()
  challenge?: string;
}
