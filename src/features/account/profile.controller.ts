import { Body, CurrentUser, Get, Patch } from 'routing-controllers';
import { SessionPrincipal } from '../../authentication/session-principal.js';
import { ErrorCode } from '../../error.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import { fieldValues, type InputFields, type ShownField } from '../../http/input-fields.js';
import { closedObject, type JsonSchema, type NamedSchema } from '../../http/json-schema.js';
import { validateWholeInput } from '../../http/validate-input.js';
import type { BaseUser } from '../../users/base-user.entity.js';
import { ProfileInput } from './profile.input.js';
import type { ProfileService } from './profile.service.js';

/** The profile as its user sees it. */
interface ProfileBody {
  readonly id: string;
  readonly email: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly role: number;
  readonly emailVerified: boolean;
}

/** The fields that the app adds to the inputs. */
interface ProfileInputs {
  readonly registration: { readonly shown: readonly ShownField[] };
  readonly profile: InputFields;
}

/** The routes that read and change the user's profile. */
export function createProfileController(
  { profile, inputs }: { readonly profile: ProfileService; readonly inputs: ProfileInputs },
  { prefix }: ControllerParts,
) {
  const type = inputs.profile.typeOf(ProfileInput);
  const all = [...inputs.registration.shown, ...inputs.profile.shown];
  const shown = [...new Map(all.map((field) => [field.name, field])).values()];
  const json = { ...PROFILE, fields: shown };
  const toBody = (user: BaseUser) => ({ ...profileOf(user), ...fieldValues(user, shown) });

  @AuthController(prefix, { name: 'profile', isBearer: true, isJsonOnly: true })
  class ProfileController {
    @Get('/user')
    @DescribeRoute({
      id: 'getUser',
      tag: 'Account',
      summary: 'Get your profile',
      answers: { 200: { description: 'The profile.', json } },
    })
    async get(@CurrentUser() principal: SessionPrincipal): Promise<ProfileBody> {
      return toBody(await profile.get(principal.id));
    }

    @Patch('/user')
    @DescribeRoute({
      id: 'updateUser',
      tag: 'Account',
      summary: 'Change your profile',
      body: { input: type, name: ProfileInput.name },
      answers: { 200: { description: 'The changed profile.', json } },
      errors: inputs.profile.isExtended ? [ErrorCode.FieldAlreadyTaken] : [],
    })
    async update(
      @CurrentUser() principal: SessionPrincipal,
      @Body({ type, required: false }) body: object | undefined,
    ): Promise<ProfileBody> {
      const input = await validateWholeInput(type, body);
      const { firstName, lastName } = input;
      const fields = inputs.profile.valuesOf(input, body ?? {});
      return toBody(await profile.update(principal.id, { firstName, lastName, fields }));
    }
  }
  return ProfileController;
}

function profileOf({ id, email, firstName, lastName, role, emailVerified }: BaseUser): ProfileBody {
  return { id: String(id), email, firstName, lastName, role, emailVerified };
}

const text: JsonSchema = { type: 'string' };
const PROFILE: NamedSchema = {
  name: 'AuthProfile',
  schema: closedObject({
    id: text,
    email: { ...text, format: 'email' },
    firstName: text,
    lastName: text,
    role: { type: 'integer' },
    emailVerified: { type: 'boolean' },
  }),
};
