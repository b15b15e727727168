import type { LinkParts } from '../../http/controller-parts.js';
import { clientOf, type HttpRequest, type HttpResponse } from '../../http/http-message.js';
import { passwordResetFlow } from '../../http/mailed-password-flow.js';
import type { OneTimeCookie } from '../../http/one-time-cookie.js';
import type { LinkPages } from '../../http/pages/link-pages.js';
import { redirect } from '../../http/pages/page-response.js';
import { LINK_PATHS } from '../../mail/link-paths.js';
import type { EmailUndoService } from './email-undo.service.js';

/** Seconds from the opening of the link to the answer. Opening it again starts anew, for as long as its key is good. */
const COOKIE_SECONDS = 3600;

/**
 * From a mailed link to the old address and a new password, over HTTP. No page has a key in its address or in itself:
 * opening the link moves its key into a cookie and only asks, because scanners of mails open links too; the answer
 * moves the key of the new password into a cookie as well.
 */
export class EmailUndoForm {
  readonly #pages: LinkPages;
  readonly #formUrl: string;
  readonly #cookie: OneTimeCookie;
  /** Where a new password is set after an undo. */
  readonly #password: { readonly url: string; readonly cookie: OneTimeCookie; readonly lifetime: number };

  constructor(
    private readonly kernel: { readonly emailUndo: EmailUndoService },
    { pages, settings, url, cookie }: LinkParts,
  ) {
    this.#pages = pages;
    this.#formUrl = url(LINK_PATHS.emailUndoForm);
    this.#cookie = cookie('email_undo_access_token');
    const reset = passwordResetFlow(settings);
    this.#password = { url: reset.appForm ?? url(reset.form), cookie: cookie(reset.cookie), lifetime: reset.lifetime };
  }

  /** Answers the link: on to the question, with the cookie, or the page of a link that failed. */
  async open(key: string, request: HttpRequest, response: HttpResponse): Promise<HttpResponse> {
    if (!(await this.kernel.emailUndo.find([key], clientOf(request)))) return this.#pages.failed(response);
    this.#cookie.set(response, key, COOKIE_SECONDS);
    return redirect(response, this.#formUrl);
  }

  /** Shows the question where the request has the cookie, else the page of a link that failed. */
  async showForm(request: HttpRequest, response: HttpResponse): Promise<HttpResponse> {
    const found = await this.kernel.emailUndo.find(this.#cookie.read(request), clientOf(request));
    if (!found) return this.#pages.failed(response);
    return this.#pages.askUndo(response, { email: found.email, action: new URL(this.#formUrl).pathname });
  }

  /** Takes the address back: done, or the page of a link that failed. */
  async submitForm(request: HttpRequest, response: HttpResponse): Promise<HttpResponse> {
    const resetKey = await this.kernel.emailUndo.undo(this.#cookie.read(request), clientOf(request));
    if (resetKey === undefined) return this.#pages.failed(response);
    this.#cookie.clear(response);
    this.#password.cookie.set(response, resetKey, this.#password.lifetime);
    return this.#pages.undone(response, this.#password.url);
  }
}
