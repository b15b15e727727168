import { Body, CurrentUser, HttpCode, Post, Req } from 'routing-controllers';
import { SessionPrincipal } from '../../authentication/session-principal.js';
import { ErrorCode } from '../../error.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import { clientOf, type HttpRequest } from '../../http/http-message.js';
import { DETAIL } from '../../http/json-schema.js';
import { MAIL_TAG } from '../../http/link-descriptions.js';
import { validateInput } from '../../http/validate-input.js';
import { EmailChangeInput } from './email-change.input.js';
import type { EmailChangeService } from './email-change.service.js';

/** The route that requests an address change. */
export function createEmailChangeController(
  { emailChange }: { readonly emailChange: EmailChangeService },
  { prefix }: ControllerParts,
) {
  @AuthController(prefix, { name: 'emailChange', isBearer: true, isJsonOnly: true })
  class EmailChangeController {
    @Post('/email/change')
    @HttpCode(202)
    @DescribeRoute({
      id: 'changeEmail',
      tag: MAIL_TAG,
      summary: 'Request an address change',
      description: 'The address changes when the user opens the link that is mailed to the new address.',
      body: EmailChangeInput,
      answers: {
        202: { description: 'The same answer for every address, even if it belongs to another account.', json: DETAIL },
      },
      errors: [ErrorCode.IncorrectCredentials],
      isFresh: true,
      isLimited: true,
    })
    async request(
      @CurrentUser() principal: SessionPrincipal,
      @Body({ type: EmailChangeInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
    ) {
      await emailChange.request(principal.claims, { ...validateInput(EmailChangeInput, body), ...clientOf(request) });
      return { detail: 'Open the link in the mail that was sent to the new address.' };
    }
  }
  return EmailChangeController;
}
