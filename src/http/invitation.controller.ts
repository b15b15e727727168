import { Authorized, Body, CurrentUser, HttpCode, JsonController, Post, UseBefore } from 'routing-controllers';
import { Service } from 'typedi';
import type { InvitationService } from '../accounts/invitation.service.js';
import { Principal } from '../authentication/principal.js';
import { InvitationInput } from './inputs/invitation.input.js';
import { noStore } from './no-store.js';
import { requireJson } from './require-json.js';
import { untransformed } from './untransformed.js';
import { validateInput } from './validate-input.js';

/** The route that invites; what the mailed link opens is in `mailed-password.controller.ts`. */
export function createInvitationController(prefix: string, invitations: InvitationService) {
  @Service()
  @Authorized()
  @JsonController(prefix, untransformed)
  @UseBefore(noStore, requireJson)
  class InvitationController {
    @Post('/registration/user-register')
    @HttpCode(201)
    async invite(@CurrentUser() principal: Principal, @Body({ type: InvitationInput, required: false }) body: unknown) {
      await invitations.invite(principal.claims, validateInput(InvitationInput, body));
      return { detail: 'An invitation is on its way.' };
    }
  }
  return InvitationController;
}
