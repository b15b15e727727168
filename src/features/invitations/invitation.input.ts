import { IsInt, Max, Min } from 'class-validator';
import { NewEmail, PersonName } from '../../http/field.decorator.js';

const message = { message: 'must be the number of a role' };

/** The body of an invitation. */
export class InvitationInput {
  @NewEmail()
  email!: string;

  @IsInt(message)
  @Min(0, message)
  @Max(2 ** 31 - 1, message)
  role!: number;

  @PersonName()
  firstName?: string;

  @PersonName()
  lastName?: string;
}
