import { AccessToken, type AccessTokenClaims } from './access-token.js';
import { AuthError, isEnd, unreachable } from './auth-error.js';
import type { PendingAnswer } from './pending-answer.js';
import type { KeptToken } from './refresh-token-store.js';
import { ignore, type Linger, type TabMessage, Tabs } from './tabs.js';
import { timeoutSignal } from './timeout-signal.js';
import { unlessAborted } from './unless-aborted.js';

/** Who is signed in, as far as this tab knows. A new object at each change. */
export type AuthState<Claims extends object = object> =
  /** Nobody has asked yet. */
  | { readonly status: 'unknown' }
  | {
      readonly status: 'signed-in';
      readonly claims: Readonly<AccessTokenClaims & Claims>;
      /** When the access token ends and is renewed, in milliseconds since 1970 by this machine's clock. */
      readonly expiresAt: number;
    }
  /**
   * `reason`: the server's code, `refresh_token_reused` say; undefined where the user wished it, or was never signed
   * in.
   */
  | { readonly status: 'signed-out'; readonly reason: string | undefined };

/** The body of a token answer. */
export interface Tokens {
  readonly access: string;
  readonly refresh?: string;
}

/** Rotates and ends what the refresh token stands for; fails with an AuthError. */
interface TokenServer {
  refresh(): Promise<Tokens | undefined>;
  logout(): Promise<void>;
}

/** Milliseconds after which the answer to a refresh is late: it is tried once more beside. */
const LATE = 5000;

/** Milliseconds between tries of a refresh that fail. */
const PAUSES = [500, 1500, 4000];

/** Milliseconds after the first try within which the last one begins: the grace, less the way to the server. */
const LAST_TRY = 8000;

const NEVER = 1 / 0;

/** The access token of this tab, and its renewal: one at a time, whoever asks, over all tabs. */
export class SessionKeeper<Claims extends object> {
  readonly #server: TokenServer;
  readonly #store: KeptToken | undefined;
  readonly tabs: Tabs;
  readonly listeners = new Set<() => void>();
  state: AuthState<Claims> = { status: 'unknown' };
  #token?: AccessToken<Claims>;
  #renewal?: Promise<void>;
  /** Ends the wait of a renewal for its turn, by what another tab told. */
  #told?: (outcome?: Promise<never>) => void;

  /**
   * @param name what tabs have in common that share a refresh token
   * @param server asked for new tokens; it fails with an AuthError
   * @param pending waited for at the beginning of each turn
   */
  constructor(
    name: string | undefined,
    store: KeptToken | undefined,
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

  /** The user whose token this tab has, good or not. */
  get user(): string | undefined {
    return this.#token?.claims.sub;
  }

  /**
   * A token to send; undefined where nobody is signed in. One that is about to end is renewed beside the request; one
   * that has ended, before it.
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

  /**
   * Another token of the same user, in the place of one that was refused; undefined where that user is not signed in.
   */
  async replaceToken({ text, claims }: AccessToken): Promise<AccessToken<Claims> | undefined> {
    if (this.#token?.text === text) await this.renew();
    const token = await this.token();
    return token?.claims.sub === claims.sub ? token : undefined;
  }

  /** Gets another access token, by this tab or by one that is just about it. */
  renew(): Promise<void> {
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  /** Gets an access token that is made from now on, whatever others are about. */
  refresh(): Promise<void> {
    return this.tabs.next((linger) => this.rotate(linger));
  }

  async #renew(): Promise<void> {
    const old = this.#token?.text;
    const wait = new AbortController();
    const told = new Promise<void>((resolve) => {
      this.#told = resolve;
    });
    const own = this.tabs.next(async (linger) => {
      if (this.#token?.text === old) await this.rotate(linger);
    }, wait.signal);
    try {
      await Promise.race([told, own]);
    } finally {
      this.#told = undefined;
      wait.abort();
    }
  }

  /**
   * Asks again where an answer may have been lost: within its grace the server gives the same successor once more. No
   * try is given up, because its answer changes the cookie whenever it comes: the first counts, and the turn lasts for
   * all.
   */
  async rotate(linger: Linger): Promise<void> {
    const latest = Date.now() + LAST_TRY;
    const { state } = this;
    const tries: Promise<void>[] = [];
    for (const pause of [...PAUSES, 0]) {
      const another = this.#try(state, linger);
      tries.push(another);
      linger(another);
      const rest = await unlessAborted(pauseAfter(tries, pause), timeoutSignal(LATE)).catch(() => 0);
      if (Date.now() + rest > latest) break;
      await new Promise((resolve) => setTimeout(resolve, rest));
      if (Date.now() > latest) break; // timers of a hidden tab are late
    }
    await Promise.any(tries).catch(({ errors: failures }: AggregateError) => {
      const error = failures.at(-1);
      this.tabs.tell({ failed: { ...error, message: error.message } });
      throw error;
    });
  }

  /** @param before the state in which the first try began: the first answer counts */
  async #try(before: AuthState<Claims>, linger: Linger): Promise<void> {
    const outcome = await this.#server.refresh().catch((error: AuthError) => {
      if (!isEnd(error)) throw error;
      return error;
    });
    if (this.state !== before) return;
    if (outcome instanceof AuthError) {
      // In this turn no tab signs in: the cookie that goes is the dead one.
      if (!this.#store && this.tabs.isOrdered) linger(this.#server.logout().catch(ignore));
      await this.end(outcome.code);
    } else if (outcome !== undefined) await this.adopt(outcome);
    else await this.end(this.#token && !this.#store ? 'cookie_not_kept' : 'refresh_token_missing');
  }

  /** Signs in by what the server has sent. */
  async adopt(tokens: Tokens | null): Promise<void> {
    const { access = '', refresh } = tokens ?? {};
    const token = new AccessToken<Claims>(access, Date.now());
    if (Boolean(refresh) !== Boolean(this.#store)) {
      throw new TypeError('The server sends refresh tokens in another way: see `store`.');
    }
    await this.#store?.set(refresh);
    this.#keep(token);
    this.tabs.show();
  }

  /** Signs out, here and in every tab that has this session; by a wish of a tab that has none, in every tab. */
  async end(reason?: string): Promise<void> {
    const ended = this.#token?.claims.session;
    try {
      await this.#store?.set(undefined);
    } finally {
      this.#forget(reason);
      this.tabs.tell({ ended, reason });
    }
  }

  #receive(message: TabMessage): void {
    const mine = this.#token;
    if ('token' in message) {
      if (mine?.text === message.token[0] || (mine?.isAlive(Date.now()) && message.token[1] < mine.receivedAt)) return;
      this.#keep(new AccessToken(...message.token));
      this.#told?.();
    } else if ('ended' in message) {
      const isOfAll = !message.ended && !message.reason;
      if (mine && !isOfAll && message.ended !== mine.claims.session) return;
      this.#forget(message.reason);
      this.#told?.();
    } else if ('failed' in message) {
      this.#told?.(Promise.reject(Object.assign(unreachable(), message.failed)));
    }
  }

  #keep(token: AccessToken<Claims>): void {
    this.#token = token;
    this.#become({ status: 'signed-in', claims: token.claims, expiresAt: token.expiresAt });
  }

  #forget(reason: string | undefined): void {
    this.#token = undefined;
    const { status } = this.state;
    if (status === 'signed-out') return;
    const isNobody = status === 'unknown' && reason === 'refresh_token_missing'; // who comes for the first time
    this.#become({ status: 'signed-out', reason: isNobody ? undefined : reason });
  }

  #become(state: AuthState<Claims>): void {
    this.state = state;
    for (const listener of this.listeners) queueMicrotask(listener); // an error in it stops nothing here
  }
}

/** Milliseconds before another try: for ever, where one has succeeded, or the last has failed for good. */
function pauseAfter(tries: readonly Promise<void>[], pause: number): Promise<number> {
  return Promise.any(tries).then(
    () => NEVER,
    ({ errors }) => (errors.at(-1).isPassing ? pause : NEVER),
  );
}
