import { ContentType, Get, JsonController, Param, Post, Req, Res, UseBefore } from 'routing-controllers';
import { Service } from 'typedi';
import { LINK_PATHS } from '../accounts/link-paths.js';
import type { Before, HttpRequest, HttpResponse } from './http-message.js';
import { noStore } from './no-store.js';
import { asPage } from './pages/as-page.js';
import type { UndoByMail } from './undo-by-mail.js';
import { untransformed } from './untransformed.js';

/** The routes that take a changed address back. */
export function createEmailUndoController(prefix: string, byMail: UndoByMail, csrf: Before) {
  @Service()
  @JsonController(prefix, untransformed)
  @UseBefore(noStore)
  class EmailUndoController {
    @Get(`${LINK_PATHS.emailUndo}/:key`)
    @UseBefore(asPage)
    async open(@Param('key') key: string, @Req() request: HttpRequest, @Res() response: HttpResponse) {
      return byMail.open(key, request, response);
    }

    @Get(LINK_PATHS.emailUndoForm)
    @UseBefore(asPage)
    async form(@Req() request: HttpRequest, @Res() response: HttpResponse) {
      return byMail.showForm(request, response);
    }

    @Post(LINK_PATHS.emailUndoForm)
    @UseBefore(asPage, csrf)
    @ContentType('text/html')
    async submit(@Req() request: HttpRequest, @Res() response: HttpResponse) {
      return byMail.submitForm(request, response);
    }
  }
  return EmailUndoController;
}
