import type { CallOptions, ClientCalls } from '../client-calls.js';
import { AccessToken } from './access-token.js';
import { isTokenRefused, resultOf } from './answer.js';
import { AuthError, isEnd } from './auth-error.js';
import { pendingAnswer } from './pending-answer.js';
import { type RefreshTokenStore, withAuthErrors } from './refresh-token-store.js';
import { type AuthState, SessionKeeper, type Tokens } from './session-keeper.js';
import { type StandardMethods, standardMethods } from './standard-methods.js';
import { ignore, type Linger } from './tabs.js';
import { type Send, type Transport, transportTo } from './transport.js';
import { unlessAborted } from './unless-aborted.js';

/** Where the server is, and how the refresh token travels. */
export interface AuthClientOptions {
  /** Where the endpoints are; in browsers a path does. Default: `/auth`. */
  readonly url?: string;
  /** Origins beside that of `url` to which the access token may be sent. */
  readonly origins?: readonly string[];
  /** Where the refresh token is kept if it travels in bodies. Default: in its cookie. */
  readonly store?: RefreshTokenStore;
  /** Heeds the signal of the request. Default: the platform's. */
  readonly fetch?: (request: Request) => Promise<Response>;
}

/** What there is in a browser, and nowhere else. */
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
 * The client of one server. The access token is in the memory of this object alone; it is renewed when a request needs
 * it, and never by a timer, so that an open tab does not keep a session alive.
 *
 * Every method that asks the server fails with an `AuthError`, and one that gets tokens with a TypeError where `store`
 * does not fit the server.
 *
 * @typeParam Claims what the app's own refresh token adds
 * @typeParam Fields what the app adds to sign-up and profile
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the constructor assigns all that the interface below adds
export class AuthClient<Claims extends object = object, Fields extends object = Record<never, never>>
  implements ClientCalls
{
  readonly #origins: readonly string[];
  readonly #transport: Transport;
  readonly #keeper: SessionKeeper<Claims>;
  /** Whether the browser may refuse the cookie with the refresh token. */
  readonly #isCookieAtRisk: boolean;
  readonly #closed = new AbortController();

  constructor({
    url = '/auth',
    origins = [],
    store,
    fetch = (request) => globalThis.fetch(request),
  }: AuthClientOptions = {}) {
    const { location: page, isSecureContext } = globalThis as Partial<Page>;
    const base = new URL(url, page?.href).href.replace(/\/$/, '');
    const origin = originOf(base);
    const kept = store && withAuthErrors(store);
    this.#origins = [origin, ...origins];
    // Outside of browsers a cookie jar belongs to the app's own fetch, and two clients may have two.
    const isShared = store ? store.isShared : Boolean(page);
    const name = `jwt-allauth ${base}`;
    const pending = page && !store ? pendingAnswer(name) : undefined;
    this.#transport = transportTo(base, kept, fetch, pending);
    // Of another site cookies are refused unless SameSite is `none`, and without TLS those that are Secure.
    this.#isCookieAtRisk = Boolean(pending) && (page?.origin !== origin || !isSecureContext);
    this.#keeper = new SessionKeeper(isShared ? name : undefined, kept, this.#transport, pending);
    Object.assign(this, standardMethods<Fields>(this));
    // A page that comes back from the browser's cache has missed what happened meanwhile.
    const returned = ({ persisted }: { readonly persisted: boolean }) => {
      if (persisted) this.#keeper.renew().catch(ignore);
    };
    (globalThis as Partial<Page>).addEventListener?.('pageshow', returned, { signal: this.#closed.signal });
  }

  /** Who is signed in, as far as is known: the same object until it changes. */
  get state(): AuthState<Claims> {
    return this.#keeper.state;
  }

  /** Calls back at each change of `state`, in whichever tab it came about. Returns how to end that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#keeper.listeners.add(listener);
    return () => this.#keeper.listeners.delete(listener);
  };

  /** Finds out who is signed in: asks the server only if this tab does not know. */
  async restore(): Promise<AuthState<Claims>> {
    await this.#keeper.token();
    return this.state;
  }

  /** Gets a new access token although the old one may be good: its claims are as of now. */
  async refresh(): Promise<AuthState<Claims>> {
    await this.#keeper.refresh();
    return this.state;
  }

  /**
   * The access token, for what cannot be sent through `fetch`, a WebSocket say; undefined where nobody is signed in.
   */
  async accessToken(): Promise<string | undefined> {
    return (await this.#keeper.token())?.text;
  }

  /**
   * The access token in the place of one that a server has refused with 401, for HTTP clients other than `fetch`: the
   * newer one where there is one already, else that of one refresh which all callers share. Undefined where its user is
   * no longer signed in.
   */
  async replaceToken(refused: string): Promise<string | undefined> {
    return (await this.#keeper.replaceToken(new AccessToken(refused, 0)))?.text;
  }

  /**
   * `fetch` with the access token of the user who is signed in, or without one where nobody is. A request that is
   * refused for its token is repeated once with another of the same user; every other answer is the caller's. `errorOf`
   * reads one of ours.
   *
   * @throws TypeError for a request that would take the token to a foreign origin
   * @throws AuthError if no answer came (`network_error`), or the token has become another user's (`user_changed`)
   * @throws whatever its signal was aborted with
   */
  readonly fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init);
    const origin = originOf(request.url);
    if (!this.#origins.includes(origin)) throw new TypeError(`The access token is not for ${origin}: see \`origins\`.`);
    return unlessAborted(this.#authorized(request, this.#transport.send), request.signal);
  };

  /** Signs in, in every tab. The codes of a failure are those of `POST /login` in the README. */
  async login(credentials: { readonly email: string; readonly password: string }): Promise<AuthState<Claims>> {
    await this.call('POST', '/login', { body: credentials, effect: 'sign-in' });
    return this.state;
  }

  /** Signs out here and in every tab. Fails, and leaves everything as it is, while the server cannot be reached. */
  async logout(): Promise<void> {
    await this.#keeper.tabs.next(async () => {
      await this.#transport.logout().catch((error: AuthError) => {
        if (!isEnd(error)) throw error;
      });
      await this.#keeper.end();
    });
  }

  /** Leaves the other tabs. The client is of no use afterwards. */
  close(): void {
    this.#closed.abort();
    this.#keeper.tabs.close();
  }

  readonly call = async <Result>(method: string, path: string, options: CallOptions = {}): Promise<Result> => {
    const request = this.#transport.request(method, path, options);
    const { isBearer, effect } = options;
    const send: Send = effect
      ? (each, token) =>
          this.#keeper.tabs.next(async (linger) => {
            this.#assertUser(token, this.#keeper.user);
            const answer = await this.#transport.change(each, token);
            if (answer.ok) await (effect === 'sign-in' ? this.#signIn(answer.clone(), linger) : this.#keeper.end());
            return answer;
          })
      : this.#transport.send;
    return resultOf(await (isBearer ? this.#authorized(request, send) : send(request)));
  };

  /** Sends with the token of the user who is signed in; once more with another of the same user, if it is refused. */
  async #authorized(request: Request, send: Send): Promise<Response> {
    const { user } = this.#keeper;
    const token = await this.#keeper.token();
    this.#assertUser(token, user);
    const answer = await send(request.clone(), token);
    if (!token || answer.status !== 401 || !(await isTokenRefused(answer.clone()))) return answer;
    const other = await this.#keeper.replaceToken(token);
    return other ? send(request, other) : answer;
  }

  #assertUser(token: AccessToken | undefined, user: string | undefined): void {
    if (user && token && token.claims.sub !== user) {
      throw new AuthError('user_changed', 401, 'Another user has signed in.');
    }
  }

  async #signIn(answer: Response, linger: Linger): Promise<void> {
    const tokens = await resultOf<(Tokens & { readonly detail?: string }) | null>(answer);
    if (tokens?.detail) return; // it is there where the address has to be confirmed first
    await this.#keeper.adopt(tokens);
    if (!this.#isCookieAtRisk) return;
    // Whether the cookie comes back is found out in this turn, before another tab or a renewal can change it.
    await this.#keeper.rotate(linger).catch(ignore);
    if (!this.#keeper.user) throw new AuthError('cookie_not_kept', 400, 'The browser has refused the cookie.');
  }
}

/** The methods of the features; the constructor adds them. */
// biome-ignore lint/correctness/noUnusedVariables: both declarations of a class have the same parameters
export interface AuthClient<Claims extends object, Fields extends object> extends StandardMethods<Fields> {}

/** The origin of an absolute URL. React Native's URL has no `origin`. */
function originOf(url: string): string {
  return url.split('/', 3).join('/');
}
