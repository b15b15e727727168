import { Body, Get, HttpCode, JsonController, Param, Post, Req, Res, UseBefore } from 'routing-controllers';
import { Service } from 'typedi';
import type { EmailVerificationService } from '../accounts/email-verification.service.js';
import { LINK_PATHS } from '../accounts/link-paths.js';
import { clientOf, type HttpRequest, type HttpResponse } from './http-message.js';
import { EmailInput } from './inputs/email.input.js';
import { noStore } from './no-store.js';
import { asPage } from './pages/as-page.js';
import type { LinkPages } from './pages/link-pages.js';
import type { RefreshTokenTransport } from './refresh-token-transport.js';
import { requireJson } from './require-json.js';
import type { SignUpCookie } from './sign-up-cookie.js';
import { untransformed } from './untransformed.js';
import { validateInput } from './validate-input.js';

/** The routes that confirm an address. */
export function createEmailVerificationController(
  prefix: string,
  verification: EmailVerificationService,
  pages: LinkPages,
  transport: RefreshTokenTransport,
  /** By which the browser that signed up is known again, for so many seconds. */
  { cookie: browser, lifetime }: SignUpCookie,
) {
  @Service()
  @JsonController(prefix, untransformed)
  @UseBefore(noStore)
  class EmailVerificationController {
    @Post('/registration/verification/resend')
    @UseBefore(requireJson)
    @HttpCode(202)
    async resend(
      @Body({ type: EmailInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ) {
      const { email } = validateInput(EmailInput, body);
      const marks = browser.read(request);
      await verification.resend(email, { ...clientOf(request), marks });
      // The sign-up waits for its full time again, and so does its browser.
      if (marks.length === 1) browser.set(response, marks[0] as string, lifetime);
      return { detail: 'If this address waits to be confirmed, a mail is on its way.' };
    }

    @Get(`${LINK_PATHS.confirmation}/:key`)
    @UseBefore(asPage)
    async confirm(@Param('key') key: string, @Req() request: HttpRequest, @Res() response: HttpResponse) {
      const client = clientOf(request);
      // Express answers HEAD by the route of GET; who only looks confirms nothing.
      if (request.method === 'HEAD') {
        return (await verification.isGood(key, client)) ? pages.verified(response) : pages.failed(response);
      }
      const confirmed = await verification.confirm(key, { ...client, marks: browser.read(request) });
      if (!confirmed) return pages.failed(response);
      if (confirmed.tokens) await transport.signIn(request, response, confirmed.tokens);
      if (confirmed.isOwn) browser.clear(response);
      return pages.verified(response);
    }
  }
  return EmailVerificationController;
}
