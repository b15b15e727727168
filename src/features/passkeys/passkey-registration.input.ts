import { Optional } from '../../http/field.decorator.js';
import { PasskeyName } from './passkey-name.input.js';

/** The fields of a body that adds a passkey in addition to its `credential`. */
export class PasskeyRegistrationInput {
  @Optional()
  @PasskeyName()
  name?: string;
}
