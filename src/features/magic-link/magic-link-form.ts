import { isTokenNotValid } from '../../error.js';
import { tokenNotValid } from '../../error-table.js';
import type { LinkParts } from '../../http/controller-parts.js';
import { clientOf, type HttpRequest, type HttpResponse } from '../../http/http-message.js';
import type { OneTimeCookie } from '../../http/one-time-cookie.js';
import { redirect } from '../../http/pages/page-response.js';
import { withRefusal } from '../../http/redirect-urls.js';
import type { TokenBody } from '../../http/refresh-token-transport.js';
import { isChallenge } from '../../sign-in/challenge.js';
import type { MagicLinkService } from './magic-link.service.js';
import type { MagicLinkSettings } from './magic-link.settings.js';

/** The name of the cookie that keeps the key of an opened link. */
export const MAGIC_LINK_COOKIE = 'magic_link_access_token';

/** The path to which the built-in page and the app's own page send the sign-in. */
export const SIGN_IN_PATH = '/magic-link/sign-in';

/**
 * The HTTP steps from a mailed link to a session. Opening the link moves its key into a cookie and uses nothing up,
 * because mail scanners open links too. The person then presses a button.
 */
export class MagicLinkForm {
  readonly #cookie: OneTimeCookie;
  /** The path of the form, as a browser sees it. */
  readonly #action: string;

  constructor(
    private readonly kernel: { readonly magicLinks: MagicLinkService; readonly magicLinkSettings: MagicLinkSettings },
    private readonly parts: LinkParts,
  ) {
    this.#cookie = parts.cookie(MAGIC_LINK_COOKIE);
    this.#action = new URL(parts.url(SIGN_IN_PATH)).pathname;
  }

  /** Answers the link: sets the cookie, and shows the page with the button or redirects to the app's page. */
  async open(key: string, request: HttpRequest, response: HttpResponse): Promise<HttpResponse> {
    const found = await this.#find([key], request);
    if (!found) return this.#failed(response);
    this.#cookie.set(response, key, found.seconds);
    const { magicLinkRedirect } = this.kernel.magicLinkSettings;
    if (magicLinkRedirect) return redirect(response, magicLinkRedirect);
    return this.#page(response, found.email);
  }

  /** Signs in from an app's own page. @throws token_not_valid, and what `MagicLinkService.signInByLink` throws */
  async signIn(request: HttpRequest, response: HttpResponse): Promise<TokenBody> {
    const { transport } = this.parts;
    const client = transport.clientOf(request); // first, because `find` counts the try
    const found = await this.#find(this.#cookie.read(request), request);
    if (!found) throw tokenNotValid('one-time-key');
    const tokens = await this.kernel.magicLinks.signInByLink(found, client).catch((error: unknown) => {
      if (isChallenge(error)) this.#cookie.clear(response); // the link is used up
      throw error;
    });
    this.#cookie.clear(response);
    return transport.signIn(request, response, tokens);
  }

  /** Handles the built-in page: signs the browser in, or shows the page for a link that cannot be used. */
  async submit(request: HttpRequest, response: HttpResponse): Promise<HttpResponse> {
    const { transport } = this.parts;
    const { magicLinkDoneRedirect: doneUrl } = this.kernel.magicLinkSettings;
    const found = await this.#find(this.#cookie.read(request), request);
    if (!found) return this.#failed(response);
    // An HTML page cannot keep tokens of bodies: the app has to use the code.
    if (!transport.isCookieAllowed) return this.#page(response, found.email);
    try {
      // The built-in page cannot ask for a second factor. The code then stays usable in the app, which can.
      const options = { keepsAtChallenge: doneUrl === undefined };
      const tokens = await this.kernel.magicLinks.signInByLink(found, transport.pageClientOf(request), options);
      await transport.signInByCookie(request, response, tokens);
    } catch (error) {
      if (isTokenNotValid(error)) return this.#failed(response);
      if (!isChallenge(error)) throw error;
      if (doneUrl === undefined) return this.#send(response, 200, 'magic-link-done', { needsSecondFactor: true });
      this.#cookie.clear(response);
      return redirect(response, withRefusal(doneUrl, error));
    }
    this.#cookie.clear(response);
    return doneUrl === undefined ? this.#send(response, 200, 'magic-link-done') : redirect(response, doneUrl);
  }

  #find(keys: readonly string[], request: HttpRequest) {
    return this.kernel.magicLinks.find(keys, clientOf(request));
  }

  /** The page with the button. If only the app can keep the tokens, the page asks for the code instead. */
  #page(response: HttpResponse, email: string): HttpResponse {
    const { magicLinkDoneRedirect: doneUrl } = this.kernel.magicLinkSettings;
    const action = this.parts.transport.isCookieAllowed ? this.#action : undefined;
    const formTargets = doneUrl === undefined ? [] : [new URL(doneUrl).origin];
    return this.parts.pages.send(response, 200, 'magic-link-sign-in', { email, action, formTargets });
  }

  #failed(response: HttpResponse): HttpResponse {
    return this.#send(response, 400, 'magic-link-failed');
  }

  #send(response: HttpResponse, status: number, name: string, data = {}): HttpResponse {
    return this.parts.pages.send(response, status, name, data);
  }
}
