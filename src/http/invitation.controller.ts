import { Body, CurrentUser, HttpCode, Post } from 'routing-controllers';
import type { InvitationService } from '../accounts/invitation.service.js';
import { Principal } from '../authentication/principal.js';
import { ErrorCode } from '../error.js';
import { AuthController } from './auth-controller.decorator.js';
import type { ControllerParts } from './controller-parts.js';
import { DescribeRoute } from './describe-route.decorator.js';
import { InvitationInput } from './inputs/invitation.input.js';
import { DETAIL } from './json-schema.js';
import { MAIL_TAG } from './link-descriptions.js';
import { validateInput } from './validate-input.js';

/** The route that invites; what the mailed link opens is in `mailed-password.controller.ts`. */
export function createInvitationController(
  { invitation }: { readonly invitation: InvitationService },
  { prefix }: ControllerParts,
) {
  @AuthController(prefix, { isBearer: true, isJsonOnly: true })
  class InvitationController {
    @Post('/registration/user-register')
    @HttpCode(201)
    @DescribeRoute({
      id: 'invite',
      tag: MAIL_TAG,
      summary: 'Invite a user',
      body: InvitationInput,
      answers: { 201: { description: 'The invitation is mailed.', json: DETAIL } },
      errors: [ErrorCode.PermissionDenied, ErrorCode.EmailAlreadyRegistered],
      isLimited: true,
    })
    async invite(@CurrentUser() principal: Principal, @Body({ type: InvitationInput, required: false }) body: unknown) {
      await invitation.invite(principal.claims, validateInput(InvitationInput, body));
      return { detail: 'An invitation is on its way.' };
    }
  }
  return InvitationController;
}
