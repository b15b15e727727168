import { PersonName } from '../../http/field.decorator.js';

export class ProfileInput {
  @PersonName()
  firstName?: string;

  @PersonName()
  lastName?: string;
}
