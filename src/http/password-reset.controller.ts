import {
  Body,
  ContentType,
  Get,
  HttpCode,
  JsonController,
  Param,
  Post,
  Req,
  Res,
  UseBefore,
} from 'routing-controllers';
import { Service } from 'typedi';
import type { PasswordResetService } from '../accounts/password-reset.service.js';
import { formBody } from './form-body.js';
import { type Before, clientOf, type HttpRequest, type HttpResponse } from './http-message.js';
import { EmailInput } from './inputs/email.input.js';
import { NewPasswordInput } from './inputs/new-password.input.js';
import { noStore } from './no-store.js';
import type { PasswordByMail } from './password-by-mail.js';
import type { TokenBody } from './refresh-token-transport.js';
import { requireJson } from './require-json.js';
import { untransformed } from './untransformed.js';
import { validateInput } from './validate-input.js';

/** The routes of a password reset: asking for it, the link, and the new password by JSON or by our form. */
export function createPasswordResetController(
  prefix: string,
  reset: PasswordResetService,
  byMail: PasswordByMail,
  csrf: Before,
) {
  @Service()
  @JsonController(prefix, untransformed)
  @UseBefore(noStore)
  class PasswordResetController {
    @Post('/password/reset')
    @UseBefore(requireJson)
    @HttpCode(202)
    async request(@Body({ type: EmailInput, required: false }) body: unknown, @Req() request: HttpRequest) {
      await reset.request(validateInput(EmailInput, body).email, clientOf(request));
      return { detail: 'If there is an account with this address, a mail is on its way.' };
    }

    @Get('/password/reset/confirm/:key')
    async open(@Param('key') key: string, @Req() request: HttpRequest, @Res() response: HttpResponse) {
      return byMail.open(key, request, response);
    }

    @Post('/password/reset/set-new')
    @UseBefore(csrf, requireJson)
    async setNew(
      @Body({ type: NewPasswordInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<TokenBody> {
      return byMail.setNew(request, response, body);
    }

    @Get('/password/reset/form')
    async form(@Req() request: HttpRequest, @Res() response: HttpResponse) {
      return byMail.showForm(request, response);
    }

    @Post('/password/reset/form')
    @UseBefore(csrf)
    @ContentType('text/html')
    async submit(@Body(formBody) body: string, @Req() request: HttpRequest, @Res() response: HttpResponse) {
      return byMail.submitForm(request, response, body);
    }
  }
  return PasswordResetController;
}
