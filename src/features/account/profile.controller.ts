import { Body, CurrentUser, Get, Patch } from 'routing-controllers';
import { SessionPrincipal } from '../../authentication/principal.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import { closedObject, type JsonSchema, type NamedSchema } from '../../http/json-schema.js';
import { validateInput } from '../../http/validate-input.js';
import type { BaseUser } from '../../users/base-user.entity.js';
import { ProfileInput } from './profile.input.js';
import type { ProfileService } from './profile.service.js';

/** What a user is shown of their account. */
interface ProfileBody {
  readonly id: string;
  readonly email: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly role: number;
  readonly emailVerified: boolean;
}

/** The routes of what a user says about themselves. */
export function createProfileController(
  { profile }: { readonly profile: ProfileService },
  { prefix }: ControllerParts,
) {
  @AuthController(prefix, { isBearer: true, isJsonOnly: true })
  class ProfileController {
    @Get('/user')
    @DescribeRoute({
      id: 'getUser',
      tag: 'Account',
      summary: 'The own profile',
      answers: { 200: { description: 'The profile.', json: PROFILE } },
    })
    async get(@CurrentUser() principal: SessionPrincipal): Promise<ProfileBody> {
      return toBody(await profile.get(principal.id));
    }

    @Patch('/user')
    @DescribeRoute({
      id: 'updateUser',
      tag: 'Account',
      summary: 'Change the own profile',
      body: ProfileInput,
      answers: { 200: { description: 'The profile as it is now.', json: PROFILE } },
    })
    async update(
      @CurrentUser() principal: SessionPrincipal,
      @Body({ type: ProfileInput, required: false }) body: unknown,
    ): Promise<ProfileBody> {
      return toBody(await profile.update(principal.id, validateInput(ProfileInput, body)));
    }
  }
  return ProfileController;
}

function toBody({ id, email, firstName, lastName, role, emailVerified }: BaseUser): ProfileBody {
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
