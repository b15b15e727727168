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

/** The routes that take a changed address back. */
export function createEmailUndoController(byMail: EmailUndoForm, { prefix, originGuard }: ControllerParts) {
  @AuthController(prefix)
  class EmailUndoController {
    @Get(`${LINK_PATHS.emailUndo}/:key`)
    @UseBefore(errorsAsPages)
    @DescribeRoute({
      ...LINK_PAGE,
      id: 'openEmailUndo',
      summary: 'Open the link that takes a changed address back',
      description: MOVES_KEY_TO_COOKIE,
      answers: { 303: redirectAnswer('On to the question.', 'The question.') },
    })
    async open(@Param('key') key: string, @Req() request: HttpRequest, @Res() response: HttpResponse) {
      return byMail.open(key, request, response);
    }

    @Get(LINK_PATHS.emailUndoForm)
    @UseBefore(errorsAsPages)
    @DescribeRoute({
      ...LINK_PAGE,
      id: 'showEmailUndoForm',
      summary: 'The question whether to take a changed address back',
      cookie,
      answers: { 200: { description: 'The question.', isPage: true } },
    })
    async form(@Req() request: HttpRequest, @Res() response: HttpResponse) {
      return byMail.showForm(request, response);
    }

    @Post(LINK_PATHS.emailUndoForm)
    @UseBefore(errorsAsPages, originGuard)
    @ContentType('text/html')
    @DescribeRoute({
      ...LINK_PAGE,
      id: 'undoEmailChange',
      summary: 'Take a changed address back',
      description: 'Every session and the password end. The page leads to a new password.',
      cookie,
      answers: {
        200: {
          description: 'The address is back.',
          headers: { 'Set-Cookie': 'Clears the cookie of the link, and sets that of a new password.' },
          isPage: true,
        },
      },
    })
    async submit(@Req() request: HttpRequest, @Res() response: HttpResponse) {
      return byMail.submitForm(request, response);
    }
  }
  return EmailUndoController;
}
