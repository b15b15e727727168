import { PersonName } from '../../http/field.decorator.js';

/** The body of a profile change. To add fields, extend this class: `createJwtAllauth({ inputs })`. */
export class ProfileInput {
  @PersonName()
  firstName?: string;

  @PersonName()
  lastName?: string;
}
