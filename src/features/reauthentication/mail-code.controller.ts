import { CurrentUser, HttpCode, Post, Req } from 'routing-controllers';
import { SessionPrincipal } from '../../authentication/session-principal.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { LinkParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import { clientOf, type HttpRequest } from '../../http/http-message.js';
import { DETAIL } from '../../http/json-schema.js';
import { MAIL_TAG } from '../../http/link-descriptions.js';
import type { MailCodes } from './mail-codes.js';

/** The route that mails a code to a signed-in user who has no password, no authenticator app and no passkey. */
export function createMailCodeController(mailCodes: MailCodes, { prefix }: LinkParts) {
  @AuthController(prefix, { name: 'reauthentication', isBearer: true })
  class MailCodeController {
    @Post('/reauthenticate/code')
    @HttpCode(202)
    @DescribeRoute({
      id: 'requestReauthenticationCode',
      tag: MAIL_TAG,
      summary: 'Mail a code with which to authenticate again',
      description: 'For users who have no password, no authenticator app and no passkey.',
      answers: { 202: { description: 'The code is on its way.', json: DETAIL } },
      errors: ['mail_code_not_available'],
      isLimited: true,
    })
    async request(@CurrentUser() principal: SessionPrincipal, @Req() request: HttpRequest) {
      await mailCodes.send(principal.claims, clientOf(request));
      return { detail: 'Enter the code from the mail that was sent to your address.' };
    }
  }
  return MailCodeController;
}
