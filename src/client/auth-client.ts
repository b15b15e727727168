import type { CallOptions, ClientCalls, Names, ReasonToRepeat } from '../client-calls.js';
import { AccessToken } from './access-token.js';
import { isTokenRefused, resultOf } from './answer.js';
import { AuthError, isSessionEnd } from './auth-error.js';
import { boundFetch, type Fetch } from './bound-fetch.js';
import type { KeyPlace } from './key-place.js';
import { pendingAnswer } from './pending-answer.js';
import { type AuthState, SessionKeeper, type Tokens } from './session-keeper.js';
import { type StandardMethods, standardMethods } from './standard-methods.js';
import type { RefreshTokenStore } from './store.js';
import { type ExtendTurn, ignore } from './tabs.js';
import { type Send, type Transport, transportTo } from './transport.js';
import { unlessAborted } from './unless-aborted.js';

/** Options of an AuthClient. */
export interface AuthClientOptions {
  /** The URL of the auth endpoints; a path is enough in browsers. Default: `/auth`. */
  readonly url?: string;
  /** Other origins than that of `url` to which the access token may be sent. */
  readonly origins?: readonly string[];
  /** Keeps the refresh token if it travels in bodies: see `storeIn`. Default: the cookie. */
  readonly store?: RefreshTokenStore;
  /**
   * Where the keys are to which the server binds sessions: an app's own place, or true for IndexedDB. With false, no
   * session is bound. Default: IndexedDB, if the page has the origin of `url`, and its tabs share the refresh token.
   */
  readonly keys?: KeyPlace | boolean;
  /** A replacement for `fetch`. It must respect the signal of the request. Default: the platform's `fetch`. */
  readonly fetch?: Fetch;
}

/** Globals that exist only in browsers. */
interface Page {
  readonly location: { readonly href: string; readonly origin: string };
  readonly isSecureContext: boolean;
  addEventListener(
    type: 'pageshow',
    listener: (event: { readonly persisted: boolean }) => void,
    options: { readonly signal: AbortSignal },
  ): void;
}

/**
 * The client of one server. The access token is only in memory: of this object and of those in other tabs. It is
 * renewed when a request needs it or a page returns from the back/forward cache, and never by a timer, so that an open
 * tab does not keep a session alive.
 *
 * Every method that sends a request rejects with an `AuthError`. A method that gets tokens rejects with a TypeError if
 * `store` does not match the server's settings.
 *
 * @typeParam Claims the claims that the app's refresh token class adds
 * @typeParam Fields the fields that the app adds to sign-up and profile
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the constructor assigns all that the interface below adds
export class AuthClient<Claims extends object = object, Fields extends object = Record<never, never>>
  implements ClientCalls
{
  readonly #origins: readonly string[];
  readonly #transport: Transport;
  readonly request: Transport['request'];
  readonly #keeper: SessionKeeper<Claims>;
  /** Whether the browser may refuse the cookie with the refresh token. */
  readonly #isCookieAtRisk: boolean;
  readonly #closed = new AbortController();
  readonly reasonsToRepeat: ReasonToRepeat[] = [isTokenRefused];

  constructor({
    url = '/auth',
    origins = [],
    store,
    keys,
    fetch = (request) => globalThis.fetch(request),
  }: AuthClientOptions = {}) {
    const { location: page, isSecureContext, addEventListener } = globalThis as Partial<Page>;
    const base = new URL(url, page?.href).href.replace(/\/$/, '');
    const origin = originOf(base);
    this.#origins = [origin, ...origins];
    // Outside of browsers, the app's `fetch` has the cookie jar, and each client may have its own.
    const isShared = store ? store.isShared : Boolean(page);
    const name = `jwt-allauth ${base}`;
    const pending = page && !store ? pendingAnswer(name) : undefined;
    const isOwnPage = page?.origin === origin && isSecureContext;
    const bound = boundFetch(fetch, base, keys ?? (isShared && isOwnPage));
    this.#transport = transportTo(base, store, bound, pending);
    this.request = this.#transport.request;
    // Browsers refuse cookies of another site unless SameSite is `none`, and Secure cookies without TLS.
    this.#isCookieAtRisk = Boolean(pending) && !isOwnPage;
    this.#keeper = new SessionKeeper(isShared && name, store, this.#transport, pending);
    this.extend(standardMethods<Fields>);
    // A page that returns from the back/forward cache may be out of date.
    const onPageShow = ({ persisted }: { readonly persisted: boolean }) => {
      if (persisted) this.#keeper.renew().catch(ignore);
    };
    addEventListener?.('pageshow', onPageShow, { signal: this.#closed.signal });
  }

  /**
   * Adds methods to this client, those of a module or of your own: `new AuthClient().extend(mailMethods)`.
   *
   * @param methods makes the methods; most need only the `ClientCalls` of the client
   * @returns this client, typed with the methods
   */
  extend<Methods extends object>(methods: (client: this) => Methods): this & Methods {
    return Object.assign(this, methods(this));
  }

  /** Whether a user is signed in, as far as is known. It is the same object until it changes. */
  get state(): AuthState<Claims> {
    return this.#keeper.state;
  }

  /** Calls the listener after each change of `state`, caused by any tab. Returns a function that unsubscribes. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#keeper.listeners.add(listener);
    return () => this.#keeper.listeners.delete(listener);
  };

  /** Finds out whether a user is signed in. It asks the server if this tab does not know, or renews its token. */
  async restore(): Promise<AuthState<Claims>> {
    await this.#keeper.token();
    return this.state;
  }

  /** Gets a new access token with current claims, even if the old one is still valid. */
  readonly refresh = async (): Promise<AuthState<Claims>> => {
    await this.#keeper.refresh();
    return this.state;
  };

  /**
   * Returns the access token for anything that cannot use `fetch`, for example a WebSocket; undefined if no user is
   * signed in.
   */
  async accessToken(): Promise<string | undefined> {
    return (await this.#keeper.token())?.text;
  }

  /**
   * Returns a new access token instead of one that a server refused with 401, for HTTP clients other than `fetch`: a
   * newer one that exists already, or the result of one refresh that all callers share. Undefined if its user is no
   * longer signed in.
   */
  async replaceToken(refused: string): Promise<string | undefined> {
    return (await this.#keeper.replaceToken(new AccessToken(refused, 0)))?.text;
  }

  /**
   * `fetch` with the access token, or without one if no user is signed in. If the token is refused, the request is
   * repeated once with a newer token of the same user. Every other answer goes to the caller, unless `stepUp` repeats
   * the request; use `errorOf` for errors of this library.
   *
   * @throws TypeError for a request that would send the token to another origin
   * @throws AuthError if no answer arrived (`network_error`), another user has signed in (`user_changed`), or an
   * expired or refused token could not be renewed
   * @throws the abort reason of its signal
   */
  readonly fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init);
    const origin = originOf(request.url);
    if (!this.#origins.includes(origin)) throw new TypeError(`Not in \`origins\`: ${origin}`);
    return unlessAborted(this.#authorized(request, this.#transport.send), request.signal);
  };

  /** Signs up. @returns `signed-in`, or `confirmation-mailed` if the address has to be confirmed first */
  async register(account: { readonly email: string; readonly password: string } & Names & Fields) {
    const { access } = await this.call<Partial<Tokens>>('POST', '/registration', { body: account, effect: 'sign-in' });
    return access ? 'signed-in' : 'confirmation-mailed';
  }

  /** Signs in, in every tab. The error codes are those of `POST /login` (docs/errors.md). */
  async login(credentials: { readonly email: string; readonly password: string }): Promise<AuthState<Claims>> {
    await this.call('POST', '/login', { body: credentials, effect: 'sign-in' });
    return this.state;
  }

  /** Signs out in every tab. If the request fails, it rejects, and the user stays signed in here. */
  async logout(): Promise<void> {
    await this.#keeper.tabs.next(async () => {
      await this.#transport.postToken('/logout').catch((error: AuthError) => {
        if (!isSessionEnd(error)) throw error;
      });
      await this.#keeper.end();
    });
  }

  /** Signs the user out on every device. */
  logoutAll(): Promise<void> {
    return this.call('POST', '/logout-all', { isBearer: true, effect: 'sign-out' });
  }

  /** Stops the communication with other tabs. The client must not be used afterwards. */
  close(): void {
    this.#closed.abort();
    this.#keeper.tabs.close();
  }

  readonly call = async <Result>(method: string, path: string, options: CallOptions = {}): Promise<Result> => {
    const request = this.request(method, path, options);
    const { isBearer, effect } = options;
    const send: Send = effect
      ? (outgoing, token) =>
          this.#keeper.tabs.next(async (extendTurn) => {
            this.#assertUser(token, this.#keeper.claims?.sub);
            const answer = await this.#transport.sendChange(outgoing, token);
            if (answer.ok) {
              await (effect === 'sign-out'
                ? this.#keeper.end()
                : this.#signIn(answer.clone(), extendTurn, effect === 'renewal'));
            }
            return answer;
          })
      : this.#transport.send;
    return resultOf(await (isBearer ? this.#authorized(request, send) : send(request)));
  };

  /**
   * Sends a request with the access token. It is sent once more for each reason to repeat it, with a newer token of the
   * same user.
   */
  async #authorized(request: Request, send: Send): Promise<Response> {
    const user = this.#keeper.claims?.sub;
    let token = await this.#keeper.token();
    this.#assertUser(token, user);
    let answer = await send(request.clone(), token);
    for (const isReason of this.reasonsToRepeat) {
      if (!token || answer.status !== 401) break;
      if (!(await isReason(answer.clone(), request, token.claims))) continue;
      token = await this.#keeper.replaceToken(token);
      if (token) answer = await send(request.clone(), token);
    }
    return answer;
  }

  #assertUser(token: AccessToken | undefined, user: string | undefined): void {
    if (user && token && token.claims.sub !== user) {
      throw new AuthError('user_changed', 401, 'Another user signed in.');
    }
  }

  async #signIn(answer: Response, extendTurn: ExtendTurn, isRenewal: boolean): Promise<void> {
    const tokens = await resultOf<(Tokens & { readonly detail?: string }) | null>(answer);
    if (tokens?.detail) return; // present if the address has to be confirmed first
    await this.#keeper.adopt(tokens, isRenewal);
    if (!this.#isCookieAtRisk || isRenewal) return;
    // Checks within this turn whether the browser stored the cookie, before another tab or a renewal can change it.
    await this.#keeper.rotate(extendTurn).catch(ignore);
    if (!this.#keeper.claims) throw new AuthError('cookie_not_kept', 400, 'The browser refused the cookie.');
  }
}

/** The methods of the features, which the constructor adds. */
// biome-ignore lint/correctness/noUnusedVariables: both declarations of a class have the same parameters
export interface AuthClient<Claims extends object, Fields extends object> extends StandardMethods<Fields> {}

/** The origin of an absolute URL. In React Native, URL has no `origin`. */
function originOf(url: string): string {
  return url.split('/', 3).join('/');
}
