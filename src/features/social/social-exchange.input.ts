import { OpaqueText } from '../../http/field.decorator.js';

/** The code with which a client fetches its session. */
export class SocialExchangeInput {
  @OpaqueText()
  code!: string;
}
