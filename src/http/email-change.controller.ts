import { Authorized, Body, CurrentUser, HttpCode, JsonController, Post, Req, UseBefore } from 'routing-controllers';
import { Service } from 'typedi';
import type { EmailChangeService } from '../accounts/email-change.service.js';
import { Principal } from '../authentication/principal.js';
import { clientOf, type HttpRequest } from './http-message.js';
import { EmailChangeInput } from './inputs/email-change.input.js';
import { noStore } from './no-store.js';
import { requireJson } from './require-json.js';
import { untransformed } from './untransformed.js';
import { validateInput } from './validate-input.js';

/** The route that asks for another address. */
export function createEmailChangeController(prefix: string, emailChange: EmailChangeService) {
  @Service()
  @Authorized()
  @JsonController(prefix, untransformed)
  @UseBefore(noStore, requireJson)
  class EmailChangeController {
    @Post('/email/change')
    @HttpCode(202)
    async request(
      @CurrentUser() principal: Principal,
      @Body({ type: EmailChangeInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
    ) {
      await emailChange.request(principal.claims, { ...validateInput(EmailChangeInput, body), ...clientOf(request) });
      return { detail: 'Open the link in the mail to the new address.' };
    }
  }
  return EmailChangeController;
}
