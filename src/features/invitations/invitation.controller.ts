import { Body, CurrentUser, HttpCode, Post } from 'routing-controllers';
import { SessionPrincipal } from '../../authentication/session-principal.js';
import { ErrorCode } from '../../error.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import { DETAIL } from '../../http/json-schema.js';
import { MAIL_TAG } from '../../http/link-descriptions.js';
import { validateInput } from '../../http/validate-input.js';
import { InvitationInput } from './invitation.input.js';
import type { InvitationService } from './invitation.service.js';

/** The route that invites a user. The routes of the mailed link are in `features/password-by-mail`. */
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
      answers: { 201: { description: 'The invitation will be mailed.', json: DETAIL } },
      errors: [ErrorCode.PermissionDenied, ErrorCode.EmailAlreadyRegistered],
      isLimited: true,
    })
    async invite(
      @CurrentUser() principal: SessionPrincipal,
      @Body({ type: InvitationInput, required: false }) body: unknown,
    ) {
      await invitation.invite(principal.claims, validateInput(InvitationInput, body));
      return { detail: 'An invitation is on its way.' };
    }
  }
  return InvitationController;
}
