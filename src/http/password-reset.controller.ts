import { Body, HttpCode, JsonController, Post, Req, UseBefore } from 'routing-controllers';
import { Service } from 'typedi';
import type { PasswordResetService } from '../accounts/password-reset.service.js';
import { clientOf, type HttpRequest } from './http-message.js';
import { EmailInput } from './inputs/email.input.js';
import { noStore } from './no-store.js';
import { requireJson } from './require-json.js';
import { untransformed } from './untransformed.js';
import { validateInput } from './validate-input.js';

/** The route that asks for a link to a new password; what the link opens is in `mailed-password.controller.ts`. */
export function createPasswordResetController(prefix: string, reset: PasswordResetService) {
  @Service()
  @JsonController(prefix, untransformed)
  @UseBefore(noStore, requireJson)
  class PasswordResetController {
    @Post('/password/reset')
    @HttpCode(202)
    async request(@Body({ type: EmailInput, required: false }) body: unknown, @Req() request: HttpRequest) {
      await reset.request(validateInput(EmailInput, body).email, clientOf(request));
      return { detail: 'If there is an account with this address, a mail is on its way.' };
    }
  }
  return PasswordResetController;
}
