import { PersonName } from './field.decorator.js';

export class ProfileInput {
  @PersonName()
  firstName?: string;

  @PersonName()
  lastName?: string;
}
