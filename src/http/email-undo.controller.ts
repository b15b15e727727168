import { ContentType, Get, JsonController, Param, Post, Req, Res, UseBefore } from 'routing-controllers';
import { Service } from 'typedi';
import type { EmailUndoService } from '../accounts/email-undo.service.js';
import { LINK_PATHS } from '../accounts/link-paths.js';
import { clientOf, type HttpRequest, type HttpResponse } from './http-message.js';
import { noStore } from './no-store.js';
import { asPage } from './pages/as-page.js';
import type { LinkPages } from './pages/link-pages.js';
import { untransformed } from './untransformed.js';

/** The routes that take a changed address back. Opening the link asks only: scanners of mails open links too. */
export function createEmailUndoController(
  prefix: string,
  undo: EmailUndoService,
  pages: LinkPages,
  /** The address of our controllers, as a browser sees it. */
  baseUrl: URL,
) {
  const urlOf = (path: string, key: string) => `${baseUrl.href}${path}/${encodeURIComponent(key)}`;

  @Service()
  @JsonController(prefix, untransformed)
  @UseBefore(noStore)
  class EmailUndoController {
    @Get(`${LINK_PATHS.emailUndo}/:key`)
    @UseBefore(asPage)
    async ask(@Param('key') key: string, @Req() request: HttpRequest, @Res() response: HttpResponse) {
      const email = await undo.find(key, clientOf(request));
      if (email === undefined) return pages.failed(response);
      return pages.askUndo(response, { email, action: new URL(urlOf(LINK_PATHS.emailUndo, key)).pathname });
    }

    @Post(`${LINK_PATHS.emailUndo}/:key`)
    @UseBefore(asPage)
    @ContentType('text/html')
    async undo(@Param('key') key: string, @Req() request: HttpRequest, @Res() response: HttpResponse) {
      const resetKey = await undo.undo(key, clientOf(request));
      if (resetKey === undefined) return pages.failed(response);
      return pages.undone(response, urlOf(LINK_PATHS.passwordReset, resetKey));
    }
  }
  return EmailUndoController;
}
