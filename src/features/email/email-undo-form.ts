import type { LinkParts } from '../../http/controller-parts.js';
import { clientOf, type HttpRequest, type HttpResponse } from '../../http/http-message.js';
import { passwordResetFlow } from '../../http/mailed-password-flow.js';
import type { OneTimeCookie } from '../../http/one-time-cookie.js';
import type { LinkPages } from '../../http/pages/link-pages.js';
import { redirect } from '../../http/pages/page-response.js';
import { LINK_PATHS } from '../../mail/link-paths.js';
import type { EmailUndoService } from './email-undo.service.js';

/**
 * Lifetime of the cookie, in seconds: the user must submit the page within this time. Opening the link again sets a new
 * cookie, as long as its key is valid.
 */
const COOKIE_SECONDS = 3600;

/**
 * The HTTP steps from a mailed link to the old address and a new password. No page contains a key, and no URL after the
 * first: opening the link moves its key into a cookie and changes nothing, because mail scanners open links too.
 * Confirming sets the cookie with the key for the new password.
 */
export class EmailUndoForm {
  readonly #pages: LinkPages;
  readonly #formUrl: string;
  readonly #cookie: OneTimeCookie;
  /** Where the new password is set after the undo. */
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

  /**
   * Answers the link: redirects to the confirmation page and sets the cookie, or shows that the link cannot be used.
   */
  async open(key: string, request: HttpRequest, response: HttpResponse): Promise<HttpResponse> {
    if (!(await this.kernel.emailUndo.find([key], clientOf(request)))) return this.#pages.sendLinkFailed(response);
    this.#cookie.set(response, key, COOKIE_SECONDS);
    return redirect(response, this.#formUrl);
  }

  /** Shows the confirmation page if the request has the cookie, else the page for a link that cannot be used. */
  async showForm(request: HttpRequest, response: HttpResponse): Promise<HttpResponse> {
    const found = await this.kernel.emailUndo.find(this.#cookie.read(request), clientOf(request));
    if (!found) return this.#pages.sendLinkFailed(response);
    return this.#pages.sendUndoForm(response, { email: found.email, action: new URL(this.#formUrl).pathname });
  }

  /** Undoes the change and shows the result, or the page for a link that cannot be used. */
  async submitForm(request: HttpRequest, response: HttpResponse): Promise<HttpResponse> {
    const resetKey = await this.kernel.emailUndo.undo(this.#cookie.read(request), clientOf(request));
    if (resetKey === undefined) return this.#pages.sendLinkFailed(response);
    this.#cookie.clear(response);
    this.#password.cookie.set(response, resetKey, this.#password.lifetime);
    return this.#pages.sendEmailUndone(response, this.#password.url);
  }
}
