import { ContentType, Get, Param, Post, Req, Res, UseBefore } from 'routing-controllers';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import type { HttpRequest, HttpResponse } from '../../http/http-message.js';
import { LINK_PAGE, linkCookie, MOVES_KEY_TO_COOKIE, redirectAnswer } from '../../http/link-descriptions.js';
import { errorsAsPages } from '../../http/pages/errors-as-pages.js';
import { LINK_PATHS } from '../../mail/link-paths.js';
import type { EmailUndoForm } from './email-undo-form.js';

const cookie = linkCookie('emailUndoCookie', 'email_undo_access_token');

/** The routes that undo an address change. */
export function createEmailUndoController(form: EmailUndoForm, { prefix, originGuard }: ControllerParts) {
  @AuthController(prefix)
  class EmailUndoController {
    @Get(`${LINK_PATHS.emailUndo}/:key`)
    @UseBefore(errorsAsPages)
    @DescribeRoute({
      ...LINK_PAGE,
      id: 'openEmailUndo',
      summary: 'Open the link that undoes an address change',
      description: MOVES_KEY_TO_COOKIE,
      answers: { 303: redirectAnswer('Redirects to the confirmation page.', 'The confirmation page.') },
    })
    async open(@Param('key') key: string, @Req() request: HttpRequest, @Res() response: HttpResponse) {
      return form.open(key, request, response);
    }

    @Get(LINK_PATHS.emailUndoForm)
    @UseBefore(errorsAsPages)
    @DescribeRoute({
      ...LINK_PAGE,
      id: 'showEmailUndoForm',
      summary: 'Show the page that asks whether to undo an address change',
      cookie,
      answers: { 200: { description: 'The confirmation page.', isPage: true } },
    })
    async form(@Req() request: HttpRequest, @Res() response: HttpResponse) {
      return form.showForm(request, response);
    }

    @Post(LINK_PATHS.emailUndoForm)
    @UseBefore(errorsAsPages, originGuard)
    @ContentType('text/html')
    @DescribeRoute({
      ...LINK_PAGE,
      id: 'undoEmailChange',
      summary: 'Undo an address change',
      description: 'Revokes every session and removes the password. The page links to the form for a new password.',
      cookie,
      answers: {
        200: {
          description: 'The old address was restored.',
          headers: { 'Set-Cookie': 'Clears the cookie of the link, and sets the one for a new password.' },
          isPage: true,
        },
      },
    })
    async submit(@Req() request: HttpRequest, @Res() response: HttpResponse) {
      return form.submitForm(request, response);
    }
  }
  return EmailUndoController;
}
