import { JwtAllauthError, tokenNotValid } from '../error.js';
import type { SessionClient } from '../sessions/client-device.js';
import type { Tokens } from '../tokens/tokens.js';
import { parseForm } from './form-body.js';
import { clientOf, type HttpRequest, type HttpResponse } from './http-message.js';
import { NewPasswordInput } from './inputs/new-password.input.js';
import type { OneTimeCookie } from './one-time-cookie.js';
import type { LinkPages } from './pages/link-pages.js';
import { redirect } from './pages/page-response.js';
import type { RefreshTokenTransport, TokenBody } from './refresh-token-transport.js';
import { validateInput } from './validate-input.js';

/** A flow in which a mailed key allows to set a password. */
export interface PasswordFlow {
  emailOf(key: string, client: SessionClient): Promise<string | undefined>;
  set(password: SessionClient & { readonly key: string; readonly newPassword: string }): Promise<Tokens>;
}

/** Where the parts of a flow are. */
export interface PasswordFlowPlaces {
  /** The app's own form; undefined for ours. */
  readonly appForm: string | undefined;
  /** The address of our form, as a browser sees it. */
  readonly form: string;
  /** Its title. */
  readonly title: string;
  /** Seconds for which the key is good at most. */
  readonly lifetime: number;
}

/**
 * From a mailed link to a password, over HTTP: opening the link moves its key into a cookie, so that it stays neither in the
 * address bar nor in a referrer, and uses nothing up; setting the password does.
 */
export class PasswordByMail {
  constructor(
    private readonly flow: PasswordFlow,
    private readonly places: PasswordFlowPlaces,
    private readonly cookie: OneTimeCookie,
    private readonly pages: LinkPages,
    private readonly transport: RefreshTokenTransport,
    /** Ends the session of tokens that cannot be handed over. */
    private readonly discard: (tokens: Tokens) => Promise<void>,
  ) {}

  /** Answers the link: on to the form, with the cookie, or the page of a link that failed. */
  async open(key: string, request: HttpRequest, response: HttpResponse): Promise<HttpResponse> {
    if ((await this.flow.emailOf(key, clientOf(request))) === undefined) return this.pages.failed(response);
    this.cookie.set(response, key, this.places.lifetime);
    return redirect(response, this.places.appForm ?? this.places.form);
  }

  /** Shows our form to who has the cookie. */
  async showForm(request: HttpRequest, response: HttpResponse): Promise<HttpResponse> {
    const email = await this.flow.emailOf(this.cookie.read(request) ?? '', clientOf(request));
    return email === undefined ? this.pages.failed(response) : this.#form(response, 200, email);
  }

  /** Takes our form: done, the form again with what was wrong, or the page of a link that failed. */
  async submitForm(request: HttpRequest, response: HttpResponse, body: unknown): Promise<HttpResponse> {
    const { newPassword = '' } = parseForm(body);
    const key = this.cookie.read(request) ?? '';
    const client = clientOf(request);
    const email = await this.flow.emailOf(key, client);
    if (email === undefined) return this.pages.failed(response);
    try {
      await this.#handOver(response, await this.flow.set({ key, newPassword, ...client }));
    } catch (error) {
      if (!(error instanceof JwtAllauthError)) throw error;
      if (error.httpCode === 401) return this.pages.failed(response);
      const messages = error.errors?.flatMap((each) => each.messages) ?? [];
      return this.#form(response, error.httpCode, email, messages.length ? `It ${messages.join(', ')}.` : error.detail);
    }
    this.cookie.clear(response);
    return this.pages.done(response);
  }

  /** Sets the password of an app's own form. @throws token_not_valid, validation_failed, too_many_requests */
  async setNew(request: HttpRequest, response: HttpResponse, body: unknown): Promise<TokenBody> {
    const { newPassword } = validateInput(NewPasswordInput, body);
    const key = this.cookie.read(request);
    if (!key) throw tokenNotValid('one-time-key');
    const tokens = await this.flow.set({ key, newPassword, ...clientOf(request) });
    this.cookie.clear(response);
    return this.transport.deliver(response, tokens);
  }

  /** A cookie signs the browser in; a body is nothing that a page could keep. */
  async #handOver(response: HttpResponse, tokens: Tokens): Promise<void> {
    if (this.transport.isCookie) this.transport.deliver(response, tokens);
    else await this.discard(tokens);
  }

  #form(response: HttpResponse, status: number, email: string, error?: string): HttpResponse {
    const { title, form } = this.places;
    return this.pages.setPassword(response, status, { title, action: new URL(form).pathname, email, error });
  }
}
