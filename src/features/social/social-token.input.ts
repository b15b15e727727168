import { OpaqueText } from '../../http/field.decorator.js';

/** An ID token that a native app got from the provider. */
export class SocialTokenInput {
  @OpaqueText()
  idToken!: string;

  /** The nonce of the app's request to the provider. */
  @OpaqueText()
  nonce!: string;
}
