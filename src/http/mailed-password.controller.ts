import { Body, ContentType, Get, JsonController, Param, Post, Req, Res, UseBefore } from 'routing-controllers';
import { Service } from 'typedi';
import { acceptReadForm, formBody } from './form-body.js';
import type { Before, HttpRequest, HttpResponse } from './http-message.js';
import { NewPasswordInput } from './inputs/new-password.input.js';
import type { MailedPasswordFlow } from './mailed-password-flow.js';
import { noStore } from './no-store.js';
import { asPage } from './pages/as-page.js';
import type { PasswordByMail } from './password-by-mail.js';
import type { TokenBody } from './refresh-token-transport.js';
import { requireJson } from './require-json.js';
import { untransformed } from './untransformed.js';

/** The routes from a mailed link to a password: the same for a reset and for an invitation. */
export function createMailedPasswordController(
  prefix: string,
  paths: Pick<MailedPasswordFlow, 'link' | 'setNew' | 'form'>,
  byMail: PasswordByMail,
  csrf: Before,
) {
  @Service()
  @JsonController(prefix, untransformed)
  @UseBefore(noStore)
  class MailedPasswordController {
    @Get(`${paths.link}/:key`)
    @UseBefore(asPage)
    async open(@Param('key') key: string, @Req() request: HttpRequest, @Res() response: HttpResponse) {
      return byMail.open(key, request, response);
    }

    @Post(paths.setNew)
    @UseBefore(csrf, requireJson)
    async setNew(
      @Body({ type: NewPasswordInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<TokenBody> {
      return byMail.setNew(request, response, body);
    }

    @Get(paths.form)
    @UseBefore(asPage)
    async form(@Req() request: HttpRequest, @Res() response: HttpResponse) {
      return byMail.showForm(request, response);
    }

    @Post(paths.form)
    @UseBefore(asPage, csrf, acceptReadForm)
    @ContentType('text/html')
    async submit(@Body(formBody) body: string, @Req() request: HttpRequest, @Res() response: HttpResponse) {
      return byMail.submitForm(request, response, body);
    }
  }
  return MailedPasswordController;
}
