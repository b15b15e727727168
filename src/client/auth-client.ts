import type { AccessToken } from './access-token.js';
import type { DeviceSession, Names, UserProfile } from './account.js';
import { AuthError, errorOf } from './auth-error.js';
import { RefreshMark } from './refresh-mark.js';
import type { RefreshTokenStore } from './refresh-token-store.js';
import { type AuthState, SessionKeeper, type Tokens } from './session-keeper.js';

/** Milliseconds for an answer to a refresh, after which it is tried again. */
const PATIENCE = 8000;

/** Where the server is, and how the refresh token travels. */
export interface AuthClientOptions {
  /** Where the endpoints are; in browsers a path does. Default: `/auth`. */
  readonly url?: string;
  /** Origins beside that of `url` to which the access token may be sent. */
  readonly origins?: readonly string[];
  /** Where the refresh token is kept if it travels in bodies. Default: in its cookie. */
  readonly store?: RefreshTokenStore;
  /** Default: the platform's. */
  readonly fetch?: (request: Request) => Promise<Response>;
}

/** What there is in a browser, and nowhere else. */
interface Page {
  readonly location: { readonly href: string };
  addEventListener(type: 'pageshow', listener: (event: { readonly persisted: boolean }) => void): void;
}

interface Call {
  readonly body?: object;
  /** Sent with the access token. */
  readonly isBearer?: boolean;
  /** Answered with tokens, which sign in. */
  readonly givesTokens?: boolean;
  /** With cookies, also where the refresh token does not travel in one. */
  readonly needsCookie?: boolean;
  readonly keepalive?: boolean;
  readonly signal?: AbortSignal;
}

type Send = (request: Request, token?: AccessToken) => Promise<Response>;

/**
 * The client of one server. The access token is in the memory of this object alone; it is renewed when a request needs it,
 * and never by a timer, so that an open tab does not keep a session alive.
 *
 * Every method that asks the server fails with an `AuthError`.
 *
 * @typeParam Claims what the app's own refresh token adds
 */
export class AuthClient<Claims extends object = object> {
  readonly #url: string;
  readonly #origins: readonly string[];
  readonly #store: RefreshTokenStore | undefined;
  readonly #fetch: (request: Request) => Promise<Response>;
  readonly #keeper: SessionKeeper<Claims>;
  readonly #mark?: RefreshMark;

  constructor({
    url = '/auth',
    origins = [],
    store,
    fetch = (request) => globalThis.fetch(request),
  }: AuthClientOptions = {}) {
    const page = (globalThis as Partial<Page>).location;
    const { href, origin } = new URL(url, page?.href);
    this.#url = href.replace(/\/$/, '');
    this.#origins = [origin, ...origins];
    this.#store = store;
    this.#fetch = fetch;
    // Outside of browsers a cookie jar belongs to the app's own fetch, and two clients may have two.
    const isShared = store ? store.isShared : page !== undefined;
    const name = `jwt-allauth ${this.#url}`;
    this.#keeper = new SessionKeeper(isShared ? name : undefined, store, () => this.#rotate());
    if (page && !store) this.#mark = new RefreshMark(name);
    // A page that comes back from the browser's cache has missed what happened meanwhile.
    (globalThis as Partial<Page>).addEventListener?.('pageshow', ({ persisted }) => {
      if (persisted) this.#keeper.renew().catch(() => {});
    });
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

  /** The access token, for what cannot be sent through `fetch`, a WebSocket say; undefined where nobody is signed in. */
  async accessToken(): Promise<string | undefined> {
    return (await this.#keeper.token())?.text;
  }

  /**
   * `fetch` with the access token of whoever is signed in, and without where nobody is. A request that is refused for its
   * token is repeated once with another; every other answer is the caller's.
   *
   * @throws TypeError for a request that would take the token to a foreign origin
   */
  readonly fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init);
    const { origin } = new URL(request.url);
    if (!this.#origins.includes(origin)) throw new TypeError(`The access token is not for ${origin}: see \`origins\`.`);
    return this.#authorized(request, (each, token) => this.#send(each, token));
  };

  /** @returns `signed-in`, or `confirmation-mailed` where the address has to be confirmed first */
  async register(account: { readonly email: string; readonly password: string } & Names) {
    const answer = await this.#call('POST', '/registration', { body: account, givesTokens: true });
    return answer.access ? 'signed-in' : 'confirmation-mailed';
  }

  async login(credentials: { readonly email: string; readonly password: string }): Promise<AuthState<Claims>> {
    await this.#call('POST', '/login', { body: credentials, givesTokens: true });
    return this.state;
  }

  /** Signs out here and in every tab. Fails, and leaves everything as it is, while the server cannot be reached. */
  async logout(): Promise<void> {
    await this.#keeper.tabs.next(async () => {
      await this.#call('POST', '/logout', { body: await this.#refreshBody() }).catch((error: AuthError) => {
        if (error.code !== 'token_not_valid' && error.code !== 'refresh_token_missing') throw error;
      });
      await this.#keeper.end();
    });
  }

  /** Signs the user out on every device. */
  async logoutAll(): Promise<void> {
    await this.#call('POST', '/logout-all', { isBearer: true });
    await this.#keeper.end();
  }

  getUser(): Promise<UserProfile> {
    return this.#call('GET', '/user', { isBearer: true });
  }

  updateUser(names: Names): Promise<UserProfile> {
    return this.#call('PATCH', '/user', { body: names, isBearer: true });
  }

  /** Deletes the account and all it owns. */
  async deleteUser(proof: { readonly password: string }): Promise<void> {
    await this.#call('DELETE', '/user', { body: proof, isBearer: true });
    await this.#keeper.end();
  }

  /** Every other session of the user ends; this one goes on as a new one. */
  async changePassword(passwords: { readonly oldPassword?: string; readonly newPassword: string }): Promise<void> {
    await this.#call('POST', '/password/change', { body: passwords, isBearer: true, givesTokens: true });
  }

  /** Where the user is signed in, the session used last first. */
  sessions(): Promise<DeviceSession[]> {
    return this.#call('GET', '/sessions', { isBearer: true });
  }

  async revokeSession(id: string): Promise<void> {
    await this.#call('DELETE', `/sessions/${encodeURIComponent(id)}`, { isBearer: true });
  }

  async revokeOtherSessions(): Promise<void> {
    await this.#call('POST', '/sessions/revoke-others', { isBearer: true });
  }

  /** Mails the link that confirms an address once more. The answer tells nobody whether there is such an account. */
  async resendVerification(to: { readonly email: string }): Promise<void> {
    await this.#call('POST', '/registration/verification/resend', { body: to });
  }

  /** Mails a link to a new password. The answer tells nobody whether there is such an account. */
  async requestPasswordReset(to: { readonly email: string }): Promise<void> {
    await this.#call('POST', '/password/reset', { body: to });
  }

  /** Sets the password of whoever has opened the link of a reset in this browser, and signs in. */
  async resetPassword(to: { readonly newPassword: string }): Promise<void> {
    await this.#call('POST', '/password/reset/set-new', { body: to, givesTokens: true, needsCookie: true });
  }

  /** Mails a link to the new address, by which it becomes the user's. */
  async changeEmail(to: { readonly email: string; readonly password: string }): Promise<void> {
    await this.#call('POST', '/email/change', { body: to, isBearer: true });
  }

  async invite(whom: { readonly email: string; readonly role: number } & Names): Promise<void> {
    await this.#call('POST', '/registration/user-register', { body: whom, isBearer: true });
  }

  /** Sets the first password of whoever has opened the link of an invitation in this browser, and signs in. */
  async acceptInvitation(to: { readonly newPassword: string }): Promise<void> {
    await this.#call('POST', '/registration/set-password', { body: to, givesTokens: true, needsCookie: true });
  }

  /** The public keys of the tokens (RFC 7517 §5). */
  keys(): Promise<{ readonly keys: readonly Readonly<Record<string, unknown>>[] }> {
    return this.#call('GET', '/.well-known/jwks.json');
  }

  /** Leaves the other tabs. The client is of no use afterwards. */
  close(): void {
    this.#keeper.tabs.close();
  }

  // biome-ignore lint/suspicious/noExplicitAny: each method says what its endpoint answers
  async #call(method: string, path: string, call: Call = {}): Promise<any> {
    const { body, isBearer, givesTokens, needsCookie, ...init } = call;
    const request = new Request(this.#url + path, {
      method,
      credentials: this.#store && !needsCookie ? 'same-origin' : 'include',
      ...(body && { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
      ...init,
    });
    const send: Send = givesTokens
      ? (each, token) => this.#keeper.tabs.next(() => this.#signIn(each, token))
      : (each, token) => this.#send(each, token);
    const response = await (isBearer ? this.#authorized(request, send) : send(request));
    if (!response.ok) throw await errorOf(response);
    return response.status === 204 ? undefined : bodyOf(response);
  }

  /** Sends with the token of whoever is signed in; once more with another, if it is refused. */
  async #authorized(request: Request, send: Send): Promise<Response> {
    const token = await this.#keeper.token();
    const response = await send(request.clone(), token);
    if (!token || response.status !== 401 || !(await isTokenRefused(response.clone()))) return response;
    const other = await this.#keeper.insteadOf(token);
    return other && other !== token ? send(request, other) : response;
  }

  /** Takes the tokens of an answer in the same turn, so that no refresh of another tab comes between. */
  async #signIn(request: Request, token?: AccessToken): Promise<Response> {
    const response = await this.#send(request, token);
    const tokens = response.ok && (await bodyOf(response.clone()));
    if (tokens?.access) await this.#keeper.adopt(tokens);
    return response;
  }

  async #rotate(): Promise<Tokens> {
    const body = await this.#refreshBody();
    const refresh = () => {
      // keepalive: the cookie of the answer arrives even if the page is left meanwhile.
      const init = { keepalive: true, signal: AbortSignal.timeout(PATIENCE) };
      return this.#call('POST', '/refresh', { body, ...init });
    };
    return this.#mark ? this.#mark.during(refresh) : refresh();
  }

  async #refreshBody(): Promise<object | undefined> {
    return this.#store && { refresh: await this.#store.get() };
  }

  async #send(request: Request, token?: AccessToken): Promise<Response> {
    if (token) request.headers.set('Authorization', `Bearer ${token.text}`);
    return this.#fetch(request).catch((cause) => {
      throw cause?.name === 'AbortError' ? cause : unreachable(cause);
    });
  }
}

function unreachable(cause: unknown): AuthError {
  return new AuthError('network_error', 0, 'The server could not be reached.', [], undefined, cause);
}

// biome-ignore lint/suspicious/noExplicitAny: as in `#call`
async function bodyOf(response: Response): Promise<any> {
  return response.json().catch((cause) => {
    // A body that was cut short is an answer that was lost.
    throw cause instanceof SyntaxError
      ? new AuthError('unexpected_answer', response.status, 'The answer is not JSON.')
      : unreachable(cause);
  });
}

/** Whether a 401 is about the token, and not about a password in the request. Servers that are none of ours tell it by 401. */
async function isTokenRefused(response: Response): Promise<boolean> {
  const { code } = await errorOf(response);
  return code === 'token_not_valid' || code === 'not_authenticated' || code === 'unexpected_answer';
}
