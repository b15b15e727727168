import { Get, Param, Post, Req, Res, UseBefore } from 'routing-controllers';
import { ErrorCode } from '../../error.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { LinkParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import type { Before, HttpRequest, HttpResponse } from '../../http/http-message.js';
import { LINK_PAGE, linkCookie, MAIL_TAG, MOVES_KEY_TO_COOKIE, redirectAnswer } from '../../http/link-descriptions.js';
import { errorsAsPages } from '../../http/pages/errors-as-pages.js';
import { mediaTypeOf } from '../../http/read-body.js';
import type { RouteDescription } from '../../http/route-description.js';
import { tokenAnswer } from '../../http/token-answers.js';
import type { MagicLinkSettings } from './magic-link.settings.js';
import { MAGIC_LINK_COOKIE, type MagicLinkForm, SIGN_IN_PATH } from './magic-link-form.js';
import { MAGIC_LINK_PATH } from './magic-link-requests.js';

const isForm = (request: HttpRequest) => mediaTypeOf(request) === 'application/x-www-form-urlencoded';

/** The errors of the built-in page are pages, those of an app's own page are problem details. */
const errorsOfForms: Before = (request, response, next) =>
  isForm(request) ? errorsAsPages(request, response, next) : next();

/** The routes from a mailed link to a session. */
export function createMagicLinkPageController(
  form: MagicLinkForm,
  { magicLinkRedirect, magicLinkDoneRedirect }: MagicLinkSettings,
  { prefix, settings, originGuard, secondFactors }: LinkParts,
) {
  const opened: RouteDescription['answers'] = magicLinkRedirect
    ? { 303: redirectAnswer("Redirects to the app's page.", "The app's page.") }
    : {
        200: { description: 'A page with a button.', headers: { 'Set-Cookie': 'The key of the link.' }, isPage: true },
      };
  const done: RouteDescription['answers'] = magicLinkDoneRedirect
    ? { 303: { description: 'After the built-in page.', headers: { Location: "The app's page." } } }
    : {};

  @AuthController(prefix)
  class MagicLinkPageController {
    @Get(`${MAGIC_LINK_PATH}/:key`)
    @UseBefore(errorsAsPages)
    @DescribeRoute({
      ...LINK_PAGE,
      id: 'openMagicLink',
      summary: 'Open the link of a mail',
      description: MOVES_KEY_TO_COOKIE,
      answers: opened,
    })
    async open(@Param('key') key: string, @Req() request: HttpRequest, @Res() response: HttpResponse) {
      return form.open(key, request, response);
    }

    @Post(SIGN_IN_PATH)
    @UseBefore(errorsOfForms, originGuard)
    @DescribeRoute({
      id: 'signInByLink',
      tag: MAIL_TAG,
      summary: 'Sign in with the link that was opened in this browser',
      description: 'The form of the built-in page is answered with a page or a redirect.',
      cookie: linkCookie('magicLinkCookie', MAGIC_LINK_COOKIE),
      answers: { 200: tokenAnswer('Signed in.', settings, ['Clears the cookie of the link.']), ...done },
      errors: [ErrorCode.TokenNotValid],
      isLimited: true,
      isIssuingTokens: true,
      secondFactors,
    })
    async signIn(@Req() request: HttpRequest, @Res() response: HttpResponse) {
      return isForm(request) ? form.submit(request, response) : form.signIn(request, response);
    }
  }
  return MagicLinkPageController;
}
