import { Authorized, Body, CurrentUser, Get, JsonController, Patch, UseBefore } from 'routing-controllers';
import { Service } from 'typedi';
import type { ProfileService } from '../accounts/profile.service.js';
import { Principal } from '../authentication/principal.js';
import type { BaseUser } from '../users/base-user.entity.js';
import { ProfileInput } from './inputs/profile.input.js';
import { noStore } from './no-store.js';
import { requireJson } from './require-json.js';
import { untransformed } from './untransformed.js';
import { validateInput } from './validate-input.js';

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
export function createProfileController(prefix: string, profile: ProfileService) {
  @Service()
  @Authorized()
  @JsonController(prefix, untransformed)
  @UseBefore(noStore, requireJson)
  class ProfileController {
    @Get('/user')
    async get(@CurrentUser() principal: Principal): Promise<ProfileBody> {
      return toBody(await profile.get(principal.id));
    }

    @Patch('/user')
    async update(
      @CurrentUser() principal: Principal,
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
