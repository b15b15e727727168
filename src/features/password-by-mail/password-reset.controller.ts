import { Body, HttpCode, Post, Req } from 'routing-controllers';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import { EmailInput } from '../../http/email.input.js';
import { clientOf, type HttpRequest } from '../../http/http-message.js';
import { DETAIL } from '../../http/json-schema.js';
import { MAIL_TAG } from '../../http/link-descriptions.js';
import { validateInput } from '../../http/validate-input.js';
import type { PasswordResetService } from './password-reset.service.js';

/** The route that asks for a link to a new password; what the link opens is in `mailed-password.controller.ts`. */
export function createPasswordResetController(
  { passwordReset }: { readonly passwordReset: PasswordResetService },
  { prefix }: ControllerParts,
) {
  @AuthController(prefix, { isJsonOnly: true })
  class PasswordResetController {
    @Post('/password/reset')
    @HttpCode(202)
    @DescribeRoute({
      id: 'requestPasswordReset',
      tag: MAIL_TAG,
      summary: 'Ask for a link to a new password',
      body: EmailInput,
      answers: { 202: { description: 'Always the same.', json: DETAIL } },
      isLimited: true,
    })
    async request(@Body({ type: EmailInput, required: false }) body: unknown, @Req() request: HttpRequest) {
      await passwordReset.request(validateInput(EmailInput, body).email, clientOf(request));
      return { detail: 'If there is an account with this address, a mail is on its way.' };
    }
  }
  return PasswordResetController;
}
