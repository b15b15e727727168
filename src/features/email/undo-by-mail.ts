import { clientOf, type HttpRequest, type HttpResponse } from '../../http/http-message.js';
import type { MailedPasswordFlow } from '../../http/mailed-password-flow.js';
import type { OneTimeCookie } from '../../http/one-time-cookie.js';
import type { LinkPages } from '../../http/pages/link-pages.js';
import { redirect } from '../../http/pages/page-response.js';
import type { EmailUndoService } from './email-undo.service.js';

/** Seconds from the opening of the link to the answer. Opening it again starts anew, for as long as its key is good. */
const COOKIE_SECONDS = 3600;

/** Where a new password is set after an undo. */
export interface PasswordForm {
  readonly url: string;
  readonly cookie: OneTimeCookie;
  /** Seconds. */
  readonly lifetime: MailedPasswordFlow['lifetime'];
}

/**
 * From a mailed link to the old address and a new password, over HTTP. No page has a key in its address or in itself:
 * opening the link moves its key into a cookie and only asks, because scanners of mails open links too; the answer
 * moves the key of the new password into a cookie as well.
 */
export class UndoByMail {
  constructor(
    private readonly kernel: { readonly emailUndo: EmailUndoService; readonly pages: LinkPages },
    private readonly browser: {
      /** The address of our form, as a browser sees it. */
      readonly formUrl: string;
      readonly cookie: OneTimeCookie;
    },
    private readonly password: PasswordForm,
  ) {}

  /** Answers the link: on to the question, with the cookie, or the page of a link that failed. */
  async open(key: string, request: HttpRequest, response: HttpResponse): Promise<HttpResponse> {
    if (!(await this.kernel.emailUndo.find([key], clientOf(request)))) return this.kernel.pages.failed(response);
    this.browser.cookie.set(response, key, COOKIE_SECONDS);
    return redirect(response, this.browser.formUrl);
  }

  /** Asks who has the cookie. */
  async showForm(request: HttpRequest, response: HttpResponse): Promise<HttpResponse> {
    const found = await this.kernel.emailUndo.find(this.browser.cookie.read(request), clientOf(request));
    if (!found) return this.kernel.pages.failed(response);
    return this.kernel.pages.askUndo(response, { email: found.email, action: new URL(this.browser.formUrl).pathname });
  }

  /** Takes the address back: done, or the page of a link that failed. */
  async submitForm(request: HttpRequest, response: HttpResponse): Promise<HttpResponse> {
    const resetKey = await this.kernel.emailUndo.undo(this.browser.cookie.read(request), clientOf(request));
    if (resetKey === undefined) return this.kernel.pages.failed(response);
    this.browser.cookie.clear(response);
    this.password.cookie.set(response, resetKey, this.password.lifetime);
    return this.kernel.pages.undone(response, this.password.url);
  }
}
