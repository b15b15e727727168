import { isTokenNotValid, JwtAllauthError } from '../../error.js';
import { tokenNotValid } from '../../error-table.js';
import type { LinkParts } from '../../http/controller-parts.js';
import { parseForm } from '../../http/form-body.js';
import { clientOf, type HttpRequest, type HttpResponse } from '../../http/http-message.js';
import type { MailedPasswordFlow } from '../../http/mailed-password-flow.js';
import type { OneTimeCookie } from '../../http/one-time-cookie.js';
import type { LinkPages } from '../../http/pages/link-pages.js';
import { redirect } from '../../http/pages/page-response.js';
import type { RefreshTokenTransport, TokenBody } from '../../http/refresh-token-transport.js';
import { validateWholeInput } from '../../http/validate-input.js';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import { isChallenge } from '../../sign-in/challenge.js';
import type { Tokens } from '../../tokens/tokens.js';
import { NewPasswordInput } from './new-password.input.js';
import type { MailedKey, PasswordByMailService } from './password-by-mail.service.js';

/**
 * The HTTP steps from a mailed link to a new password. Opening the link moves its key into a cookie, so that it stays
 * neither in the address bar nor in a referrer. Only setting the password uses the key up.
 */
export class PasswordForm {
  readonly #pages: LinkPages;
  readonly #transport: RefreshTokenTransport;
  /** The URL of the built-in form, as a browser sees it. */
  readonly #formUrl: string;
  readonly #cookie: OneTimeCookie;

  constructor(
    private readonly kernel: Pick<AuthKernel, 'passwordPolicy' | 'logout'> & {
      readonly passwordByMail: PasswordByMailService;
    },
    private readonly flow: MailedPasswordFlow,
    { pages, transport, url, cookie }: LinkParts,
  ) {
    this.#pages = pages;
    this.#transport = transport;
    this.#formUrl = url(flow.form);
    this.#cookie = cookie(flow.cookie);
  }

  /** Answers the link: redirects to the form and sets the cookie, or shows that the link cannot be used. */
  async open(key: string, request: HttpRequest, response: HttpResponse): Promise<HttpResponse> {
    if (!(await this.#find([key], request))) return this.#pages.sendLinkFailed(response);
    this.#cookie.set(response, key, this.flow.lifetime);
    return redirect(response, this.flow.appForm ?? this.#formUrl);
  }

  /** Shows the built-in form if the request has the cookie, else the page for a link that cannot be used. */
  async showForm(request: HttpRequest, response: HttpResponse): Promise<HttpResponse> {
    const found = await this.#find(this.#cookie.read(request), request);
    return found ? this.#form(response, 200, found.email) : this.#pages.sendLinkFailed(response);
  }

  /**
   * Handles the built-in form: shows the result, the form again with the fault, or the page for a link that cannot be
   * used.
   */
  async submitForm(request: HttpRequest, response: HttpResponse, body: unknown): Promise<HttpResponse> {
    const { newPassword = '' } = parseForm(body);
    const found = await this.#find(this.#cookie.read(request), request);
    if (!found) return this.#pages.sendLinkFailed(response);
    try {
      const client = this.#transport.pageClientOf(request);
      await this.#signInBrowser(request, response, await this.#set(found, newPassword, client));
    } catch (error) {
      if (isChallenge(error)) return this.#done(response, { needsSecondFactor: true });
      if (!(error instanceof JwtAllauthError)) throw error;
      if (isTokenNotValid(error)) return this.#pages.sendLinkFailed(response);
      if (error.httpCode !== 400) throw error;
      const messages = error.errors?.flatMap((each) => each.messages) ?? [];
      return this.#form(response, 400, found.email, messages.length ? `It ${messages.join(', ')}.` : error.detail);
    }
    return this.#done(response);
  }

  /** Sets the password from an app's own form. @throws token_not_valid, validation_failed, too_many_requests */
  async setNew(request: HttpRequest, response: HttpResponse, body: unknown): Promise<TokenBody> {
    const { newPassword } = await validateWholeInput(NewPasswordInput, body, (given) =>
      this.kernel.passwordPolicy.fieldErrors('newPassword', given.newPassword, {}),
    );
    const client = this.#transport.clientOf(request); // first, because `find` counts the try
    const found = await this.#find(this.#cookie.read(request), request);
    if (!found) throw tokenNotValid('one-time-key');
    const tokens = await this.#set(found, newPassword, client).catch((error) => {
      if (isChallenge(error)) this.#cookie.clear(response); // the password is set, and the key is used up
      throw error;
    });
    this.#cookie.clear(response);
    return this.#transport.signIn(request, response, tokens);
  }

  #find(keys: readonly string[], request: HttpRequest) {
    return this.kernel.passwordByMail.find(this.flow.purpose, keys, clientOf(request));
  }

  #set(found: MailedKey, newPassword: string, client: SessionClient): Promise<Tokens> {
    return this.kernel.passwordByMail.set(this.flow.purpose, found, { newPassword, ...client });
  }

  /**
   * Signs the browser in with a cookie. If cookies are not allowed, it revokes the session: an HTML page cannot keep
   * the tokens.
   */
  async #signInBrowser(request: HttpRequest, response: HttpResponse, tokens: Tokens): Promise<void> {
    if (this.#transport.isCookieAllowed) await this.#transport.signInByCookie(request, response, tokens);
    else await this.kernel.logout.logout(tokens.refresh);
  }

  #done(response: HttpResponse, next?: { readonly needsSecondFactor: boolean }): HttpResponse {
    this.#cookie.clear(response);
    return this.#pages.sendPasswordSet(response, next);
  }

  #form(response: HttpResponse, status: number, email: string, error?: string): HttpResponse {
    const action = new URL(this.#formUrl).pathname;
    return this.#pages.sendPasswordForm(response, status, { title: this.flow.title, action, email, error });
  }
}
