import { Body, Get, HttpCode, Param, Post, Req, Res, UseBefore } from 'routing-controllers';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { LinkParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import { EmailInput } from '../../http/email.input.js';
import { clientOf, type HttpRequest, type HttpResponse } from '../../http/http-message.js';
import { DETAIL } from '../../http/json-schema.js';
import { LINK_PAGE, MAIL_TAG } from '../../http/link-descriptions.js';
import { errorsAsPages } from '../../http/pages/errors-as-pages.js';
import { requireJson } from '../../http/require-json.js';
import type { RouteAnswer } from '../../http/route-description.js';
import { validateInput } from '../../http/validate-input.js';
import { LINK_PATHS } from '../../mail/link-paths.js';
import type { Settings } from '../../settings/settings.js';
import type { EmailVerificationService } from './email-verification.service.js';

/** The routes that confirm an address. */
export function createEmailVerificationController(
  { emailVerification }: { readonly emailVerification: EmailVerificationService },
  { prefix, settings, pages, transport, cookie }: LinkParts,
) {
  // This cookie identifies the browser that signed up.
  const browser = cookie('email_verification_access_token');

  @AuthController(prefix)
  class EmailVerificationController {
    @Post('/registration/verification/resend')
    @UseBefore(requireJson)
    @HttpCode(202)
    @DescribeRoute({
      id: 'resendVerification',
      tag: MAIL_TAG,
      summary: 'Request another confirmation link',
      description:
        'The link belongs to the sign-up of this browser (identified by its cookie), or to the only pending one.',
      body: EmailInput,
      answers: { 202: { description: 'The same answer for every address.', json: DETAIL } },
      isLimited: true,
    })
    async resend(
      @Body({ type: EmailInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ) {
      const { email } = validateInput(EmailInput, body);
      const marks = browser.read(request);
      await emailVerification.resend(email, { ...clientOf(request), marks });
      // The sign-up is kept for its full lifetime again, so the cookie must be too.
      if (marks.length === 1) browser.set(response, marks[0] as string, settings.emailConfirmationLifetime);
      return { detail: 'If this address is waiting for confirmation, a mail is on its way.' };
    }

    @Get(`${LINK_PATHS.confirmation}/:key`)
    @UseBefore(errorsAsPages)
    @DescribeRoute({
      ...LINK_PAGE,
      id: 'openVerification',
      summary: 'Open the link that confirms an address',
      answers: confirmedAnswers(settings),
      isIssuingTokens: settings.sessionOnEmailVerification,
    })
    async confirm(@Param('key') key: string, @Req() request: HttpRequest, @Res() response: HttpResponse) {
      const client = transport.pageClientOf(request);
      // Express answers HEAD with the GET route, but HEAD must not confirm anything.
      if (request.method === 'HEAD') {
        return (await emailVerification.isValid(key, client))
          ? pages.sendEmailVerified(response)
          : pages.sendLinkFailed(response);
      }
      const confirmed = await emailVerification.confirm(key, { ...client, marks: browser.read(request) });
      if (!confirmed) return pages.sendLinkFailed(response);
      if (confirmed.tokens) await transport.signInByCookie(request, response, confirmed.tokens);
      if (confirmed.isOwn) browser.clear(response);
      return pages.sendEmailVerified(response);
    }
  }
  return EmailVerificationController;
}

function confirmedAnswers(settings: Settings): Record<number, RouteAnswer> {
  const cookies: Record<string, string> = settings.sessionOnEmailVerification
    ? { 'Set-Cookie': 'Sets the refresh token in the browser that signed up.' }
    : {};
  const description = 'The address is confirmed.';
  if (!settings.emailVerifiedRedirect) return { 200: { description, headers: cookies, isPage: true } };
  const headers = { Location: 'The value of EMAIL_VERIFIED_REDIRECT.', ...cookies };
  return { 303: { description: `${description} Redirects to the app's page.`, headers } };
}
