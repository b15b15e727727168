import { AccessToken, type AccessTokenClaims } from './access-token.js';
import { AuthError, isSessionEnd, networkError } from './auth-error.js';
import type { PendingAnswer } from './pending-answer.js';
import type { RefreshTokenStore } from './store.js';
import { type ExtendTurn, ignore, type TabNews, Tabs } from './tabs.js';
import { timeoutSignal } from './timeout-signal.js';
import { LAST_ATTEMPT_MS, RESEND_AFTER_MS } from './timing.js';
import { unlessAborted } from './unless-aborted.js';

/** Whether a user is signed in, as far as this tab knows. Each change creates a new object. */
export type AuthState<Claims extends object = object> =
  /** The server has not answered yet. */
  | { readonly status: 'unknown' }
  | {
      readonly status: 'signed-in';
      readonly claims: Readonly<AccessTokenClaims & Claims>;
      /** When the access token expires, in milliseconds since 1970 by this machine's clock. It is renewed earlier. */
      readonly expiresAt: number;
    }
  /**
   * `reason`: the code, for example the server's `refresh_token_reused` or the client's `cookie_not_kept`; undefined if
   * the user signed out or was never signed in.
   */
  | { readonly status: 'signed-out'; readonly reason: string | undefined };

/** The body of an answer with tokens. */
export interface Tokens {
  readonly access: string;
  readonly refresh?: string;
}

/** The server that has issued the refresh token. */
export interface TokenServer {
  /**
   * Sends the refresh token. Resolves to undefined without such a token, and for an empty answer. Fails with an
   * AuthError.
   *
   * @param path `/refresh` exchanges it for new tokens; with `quiet`, a request without a token is answered with 204
   * instead of an error. `/logout` revokes its session; if the token is invalid, that fails, but its cookie is removed.
   */
  postToken(path: '/refresh?quiet=true' | '/logout'): Promise<Tokens | undefined>;
}

/** Pauses between failed attempts to refresh, in milliseconds. After the last attempt, the pause does not matter. */
const PAUSES_MS = [500, 1500, 4000, 0];

/** Keeps the access token of this tab and renews it. There is one renewal at a time across all tabs. */
export class SessionKeeper<Claims extends object> {
  readonly #server: TokenServer;
  readonly #store: RefreshTokenStore | undefined;
  readonly tabs: Tabs;
  readonly listeners = new Set<() => void>();
  state: AuthState<Claims> = { status: 'unknown' };
  #token?: AccessToken<Claims>;
  #renewal?: Promise<void>;
  /** Settles a waiting renewal with the result of another tab. */
  #settleWait?: (outcome?: Promise<never>) => void;

  /**
   * @param name the same in all tabs that share a refresh token; false if none is shared
   * @param server requests new tokens; fails with an AuthError
   * @param pending awaited at the start of each turn
   */
  constructor(
    name: string | false,
    store: RefreshTokenStore | undefined,
    server: TokenServer,
    pending: PendingAnswer | undefined,
  ) {
    this.#store = store;
    this.#server = server;
    this.tabs = new Tabs(
      name,
      pending,
      () => this.#token,
      (message) => this.#receive(message),
    );
  }

  /** The claims of the token that this tab has, valid or not. */
  get claims(): AccessToken<Claims>['claims'] | undefined {
    return this.#token?.claims;
  }

  /**
   * The token to send; undefined if no user is signed in. A token that is about to expire is renewed in parallel, an
   * expired one before the request.
   */
  async token(): Promise<AccessToken<Claims> | undefined> {
    const now = Date.now();
    if (this.state.status !== 'signed-out' && !this.#token?.isFresh(now)) {
      const renewal = this.renew();
      if (this.#token?.isAlive(now)) renewal.catch(ignore);
      else await renewal;
    }
    return this.#token;
  }

  /** A newer token of the same user instead of a refused one; undefined if that user is no longer signed in. */
  async replaceToken({ text, claims }: AccessToken): Promise<AccessToken<Claims> | undefined> {
    if (this.#token?.text === text) await this.renew();
    const token = await this.token();
    return token?.claims.sub === claims.sub ? token : undefined;
  }

  /** Gets a new access token: by a refresh, or from another tab that is renewing it already. */
  renew(): Promise<void> {
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  /** Gets an access token that is issued after this call, also if another tab is refreshing already. */
  refresh(): Promise<void> {
    return this.tabs.next((extendTurn) => this.rotate(extendTurn));
  }

  async #renew(): Promise<void> {
    const old = this.#token?.text;
    const wait = new AbortController();
    try {
      await Promise.race([
        // by another tab
        new Promise<void>((resolve) => {
          this.#settleWait = resolve;
        }),
        // or by this one
        this.tabs.next(async (extendTurn) => {
          if (this.#token?.text === old) await this.rotate(extendTurn);
        }, wait.signal),
      ]);
    } finally {
      this.#settleWait = undefined;
      wait.abort();
    }
  }

  /**
   * Refreshes. It attempts again after a temporary error and after a time without an answer, because an answer may be
   * lost: within its grace period the server returns the same successor. An attempt is never abandoned, because its
   * answer changes the cookie whenever it arrives. The first attempt without an error counts, and the turn lasts until
   * all have settled.
   */
  async rotate(extendTurn: ExtendTurn): Promise<void> {
    const latest = Date.now() + LAST_ATTEMPT_MS;
    const { state } = this;
    const attempts: Promise<void>[] = [];
    for (const pause of PAUSES_MS) {
      const attempt = this.#attempt(state, extendTurn);
      attempts.push(attempt);
      extendTurn(attempt);
      // Forever if an attempt succeeded, or if the last error is not temporary.
      const pauseOrEnd = Promise.any(attempts).then(
        () => Infinity,
        ({ errors }) => (errors.at(-1).isTemporary ? pause : Infinity),
      );
      const wait = await unlessAborted(pauseOrEnd, timeoutSignal(RESEND_AFTER_MS)).catch(() => 0);
      if (Date.now() + wait > latest) break;
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (Date.now() > latest) break; // timers of a hidden tab are late
    }
    await Promise.any(attempts).catch(({ errors: failures }: AggregateError) => {
      const error = failures.at(-1);
      this.tabs.send({ failed: { ...error, message: error.message } });
      throw error;
    });
  }

  /** @param before the state at the first attempt; if it has changed since, the answer changes nothing */
  async #attempt(before: AuthState<Claims>, extendTurn: ExtendTurn): Promise<void> {
    const outcome = await this.#server.postToken('/refresh?quiet=true').catch((error: AuthError) => {
      if (!isSessionEnd(error)) throw error;
      return error;
    });
    if (this.state !== before) return;
    if (outcome instanceof AuthError) {
      // No tab signs in during this turn, so this removes the invalid cookie. It is valid if only its key is missing.
      if (!this.#store && this.tabs.isOrdered && !/dpop/.test(outcome.code))
        extendTurn(this.#server.postToken('/logout').catch(ignore));
      await this.end(outcome.code);
    } else if (outcome !== undefined) await this.adopt(outcome);
    else await this.end(this.#token && !this.#store ? 'cookie_not_kept' : 'refresh_token_missing');
  }

  /**
   * Signs in with the tokens from the server.
   *
   * @param isRenewal whether there is only a new access token, for the session whose refresh token stays
   */
  async adopt(tokens: Tokens | null, isRenewal = false): Promise<void> {
    const { access = '', refresh } = tokens ?? {};
    const token = new AccessToken<Claims>(access, Date.now());
    if (isRenewal) {
      if (token.claims.session !== this.#token?.claims.session) return; // the user has signed in anew meanwhile
    } else {
      if (!refresh !== !this.#store) {
        throw new TypeError('The server does not match `store`.');
      }
      await this.#store?.set(refresh);
    }
    this.#keep(token);
    this.tabs.share();
  }

  /**
   * Signs out here and in every tab with this session. If this tab has no session and there is no reason, it signs out
   * every tab.
   */
  async end(reason?: string): Promise<void> {
    const ended = this.#token?.claims.session;
    try {
      await this.#store?.set(undefined);
    } finally {
      this.#forget(reason);
      this.tabs.send({ ended, reason });
    }
  }

  #receive(message: TabNews): void {
    const current = this.#token;
    if ('token' in message) {
      if (current?.text === message.token[0] || (current?.isAlive(Date.now()) && message.token[1] < current.receivedAt))
        return;
      this.#keep(new AccessToken(...message.token));
      this.#settleWait?.();
    } else if ('ended' in message) {
      const isForAllTabs = !message.ended && !message.reason;
      if (current && !isForAllTabs && message.ended !== current.claims.session) return;
      this.#forget(message.reason);
      this.#settleWait?.();
    } else {
      this.#settleWait?.(Promise.reject(Object.assign(networkError(), message.failed)));
    }
  }

  #keep(token: AccessToken<Claims>): void {
    this.#token = token;
    this.#setState({ status: 'signed-in', claims: token.claims, expiresAt: token.expiresAt });
  }

  #forget(reason: string | undefined): void {
    this.#token = undefined;
    const { status } = this.state;
    if (status === 'signed-out') return;
    if (status === 'unknown' && reason === 'refresh_token_missing') reason = undefined; // the first visit
    this.#setState({ status: 'signed-out', reason });
  }

  #setState(state: AuthState<Claims>): void {
    this.state = state;
    for (const listener of this.listeners) queueMicrotask(listener); // its error stops no other listener
  }
}
