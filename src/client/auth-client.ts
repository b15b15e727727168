import { AccessToken } from './access-token.js';
import type { DeviceSession, Names, UserProfile } from './account.js';
import { isTokenRefused, resultOf } from './answer.js';
import { AuthError, isEnd } from './auth-error.js';
import { pendingAnswer } from './pending-answer.js';
import { type RefreshTokenStore, withAuthErrors } from './refresh-token-store.js';
import { type AuthState, SessionKeeper, type Tokens } from './session-keeper.js';
import { ignore, type Linger } from './tabs.js';
import { type Content, type Send, type Transport, transportTo } from './transport.js';
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

interface Call extends Content {
  /** Sent with the access token. */
  readonly isBearer?: boolean;
  /** What comes of a good answer in the same turn, where the request changes the refresh token. */
  readonly change?: (answer: Response, linger: Linger) => Promise<void>;
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
export class AuthClient<Claims extends object = object, Fields extends object = Record<never, never>> {
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

  /** @returns `signed-in`, or `confirmation-mailed` where the address has to be confirmed first */
  async register(account: { readonly email: string; readonly password: string } & Names & Fields) {
    const answer = await this.#call<Partial<Tokens>>('POST', '/registration', { body: account, change: this.#signIn });
    return answer.access ? 'signed-in' : 'confirmation-mailed';
  }

  /** Signs in, in every tab. The codes of a failure are those of `POST /login` in the README. */
  async login(credentials: { readonly email: string; readonly password: string }): Promise<AuthState<Claims>> {
    await this.#call('POST', '/login', { body: credentials, change: this.#signIn });
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

  /** Signs the user out on every device. */
  async logoutAll(): Promise<void> {
    await this.#call('POST', '/logout-all', { isBearer: true, change: this.#signOut });
  }

  /** Asks for the account; the claims of `state` are there without. */
  getUser(): Promise<UserProfile & Fields> {
    return this.#call('GET', '/user', { isBearer: true });
  }

  /** Changes what is given, and leaves the rest. */
  updateUser(changes: Names & Partial<Fields>): Promise<UserProfile & Fields> {
    return this.#call('PATCH', '/user', { body: changes, isBearer: true });
  }

  /** Deletes the account and all it owns. */
  async deleteUser(proof: { readonly password: string }): Promise<void> {
    await this.#call('DELETE', '/user', { body: proof, isBearer: true, change: this.#signOut });
  }

  /** Every other session of the user ends; this one goes on as a new one. */
  async changePassword(passwords: { readonly oldPassword?: string; readonly newPassword: string }): Promise<void> {
    await this.#call('POST', '/password/change', { body: passwords, isBearer: true, change: this.#signIn });
  }

  /** Where the user is signed in, the session used last first. */
  sessions(): Promise<DeviceSession[]> {
    return this.#call('GET', '/sessions', { isBearer: true });
  }

  /** Ends a session of the user's, by its id. Fails with `session_not_found` for any other. */
  async revokeSession(id: string): Promise<void> {
    await this.#call('DELETE', `/sessions/${encodeURIComponent(id)}`, { isBearer: true });
  }

  /** Ends every session of the user but this one. */
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

  /** Sets the password of the user whose reset link was opened in this browser, and signs in. */
  async resetPassword(to: { readonly newPassword: string }): Promise<void> {
    await this.#call('POST', '/password/reset/set-new', { body: to, change: this.#signIn, credentials: 'include' });
  }

  /** Mails a link to the new address, by which it becomes the user's. */
  async changeEmail(to: { readonly email: string; readonly password: string }): Promise<void> {
    await this.#call('POST', '/email/change', { body: to, isBearer: true });
  }

  /**
   * Mails an invitation to become a user of that role, one's own at most, where one may invite
   * (REGISTRATION_ALLOWED_ROLES).
   */
  async invite(whom: { readonly email: string; readonly role: number } & Names): Promise<void> {
    await this.#call('POST', '/registration/user-register', { body: whom, isBearer: true });
  }

  /** Sets the first password of the user whose invitation was opened in this browser, and signs in. */
  async acceptInvitation(to: { readonly newPassword: string }): Promise<void> {
    await this.#call('POST', '/registration/set-password', { body: to, change: this.#signIn, credentials: 'include' });
  }

  /** The public keys of the tokens (RFC 7517 §5). */
  keys(): Promise<{ readonly keys: readonly Readonly<Record<string, unknown>>[] }> {
    return this.#call('GET', '/.well-known/jwks.json');
  }

  /** Leaves the other tabs. The client is of no use afterwards. */
  close(): void {
    this.#closed.abort();
    this.#keeper.tabs.close();
  }

  /** Each method says what its endpoint answers. */
  async #call<Result>(method: string, path: string, call: Call = {}): Promise<Result> {
    const request = this.#transport.request(method, path, call);
    const { change } = call;
    const send: Send = change
      ? (each, token) =>
          this.#keeper.tabs.next(async (linger) => {
            this.#assertUser(token, this.#keeper.user);
            const answer = await this.#transport.change(each, token);
            if (answer.ok) await change(answer.clone(), linger);
            return answer;
          })
      : this.#transport.send;
    return resultOf(await (call.isBearer ? this.#authorized(request, send) : send(request)));
  }

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

  readonly #signIn = async (answer: Response, linger: Linger): Promise<void> => {
    const tokens = await resultOf<(Tokens & { readonly detail?: string }) | null>(answer);
    if (tokens?.detail) return; // it is there where the address has to be confirmed first
    await this.#keeper.adopt(tokens);
    if (!this.#isCookieAtRisk) return;
    // Whether the cookie comes back is found out in this turn, before another tab or a renewal can change it.
    await this.#keeper.rotate(linger).catch(ignore);
    if (!this.#keeper.user) throw new AuthError('cookie_not_kept', 400, 'The browser has refused the cookie.');
  };

  readonly #signOut = (): Promise<void> => this.#keeper.end();
}

/** The origin of an absolute URL. React Native's URL has no `origin`. */
function originOf(url: string): string {
  return url.split('/', 3).join('/');
}
