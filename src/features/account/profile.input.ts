import { PersonName } from '../../http/field.decorator.js';

/** The body of a change of the own profile. An app adds fields by a subclass: `createJwtAllauth({ inputs })`. */
export class ProfileInput {
  @PersonName()
  firstName?: string;

  @PersonName()
  lastName?: string;
}
