import type { AccessToken } from './access-token.js';
import type { AuthError } from './auth-error.js';
import type { PendingAnswer } from './pending-answer.js';

/** What tabs report to each other: a new access token, the end of a session, a failed refresh. */
export type TabNews =
  | { readonly token: ConstructorParameters<typeof AccessToken> }
  | { readonly ended: string | undefined; readonly reason: string | undefined }
  | { readonly failed: Partial<AuthError> };

/** Messages between tabs: news, or a request for the next turn. */
type TabMessage = TabNews | { readonly wantedBy: string | undefined };

/** Extends a turn until this promise has settled too. */
export type ExtendTurn = (pending: Promise<unknown>) => void;

/** Ignores an error: another caller gets it, or no caller waits for the result. */
export const ignore = () => {};

/**
 * How long a tab keeps its turn after it got a token, in milliseconds: longer than its message to the other tabs can
 * take.
 */
const HOLD_MS = 5000;

/**
 * The tabs of one browser, which share a refresh token and so act one at a time. Without Web Locks several tabs may act
 * at the same time, and the server's grace period (REFRESH_REUSE_GRACE) prevents conflicts. Without BroadcastChannel
 * each tab gets its own access tokens.
 */
export class Tabs {
  readonly #onNews: (news: TabNews) => void;
  readonly #getToken: () => AccessToken | undefined;
  readonly #pending: PendingAnswer | undefined;
  readonly #name: string | false;
  readonly #locks?: typeof navigator.locks | undefined;
  #channel?: InstanceType<typeof BroadcastChannel>;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #endTurn?: () => void;

  /**
   * @param name the same in all tabs that share a refresh token; false if the tabs share none
   * @param pending awaited at the start of each turn
   * @param getToken returns the access token of this tab
   * @param receive called with the news of other tabs
   */
  constructor(
    name: string | false,
    pending: PendingAnswer | undefined,
    getToken: () => AccessToken | undefined,
    receive: (news: TabNews) => void,
  ) {
    this.#name = name;
    this.#pending = pending;
    this.#getToken = getToken;
    this.#onNews = receive;
    if (!name) return;
    this.#locks = globalThis.navigator?.locks;
    if (!globalThis.BroadcastChannel) return;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }: { data: TabMessage }) => this.#receive(data);
  }

  /** Whether no other tab changes the refresh token during a turn. */
  get isOrdered(): boolean {
    return !this.#name || Boolean(this.#locks);
  }

  /** Sends a message to the other tabs. */
  send(message: TabMessage): void {
    this.#channel?.postMessage(message);
  }

  /** Sends this tab's token to the other tabs. */
  share(): void {
    const token = this.#getToken();
    if (token) this.send({ token: [token.text, token.receivedAt, token.chance] });
  }

  /**
   * Runs a task that changes the refresh token, one at a time across all tabs. A tab that got a new token keeps its
   * turn for a while, so that its message arrives before a waiting tab requests another token. It ends its turn at once
   * for a tab that already has the token, and if it has another task itself.
   *
   * @param signal ends the wait for a Web Lock, but not a running task
   */
  next<T>(task: (extendTurn: ExtendTurn) => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.#waiting++;
    this.#requestTurn();
    return new Promise((resolve, reject) => {
      const turn = async () => {
        this.#waiting--;
        const had = this.#getToken()?.text;
        const extensions: Promise<unknown>[] = [];
        const result = Promise.resolve(this.#pending?.wait()).then(() => task((each) => extensions.push(each)));
        resolve(result);
        await result.then(() => this.#hold(had), ignore);
        await Promise.allSettled(extensions);
        this.#endTurn = undefined;
      };
      this.#last = this.#locks?.request(this.#name as string, { signal }, turn) ?? this.#last.then(turn);
      this.#last.catch((error) => {
        this.#waiting--;
        reject(error);
      });
    });
  }

  /** Ends a turn whose task is done, and stops listening to other tabs. */
  close(): void {
    this.#endTurn?.();
    this.#channel?.close();
    this.#channel = undefined;
  }

  #requestTurn(): void {
    this.#endTurn?.();
    this.send({ wantedBy: this.#getToken()?.text });
  }

  /** Keeps the turn for a while if the token is another one than `had`. */
  async #hold(had: string | undefined): Promise<void> {
    const text = this.#getToken()?.text;
    if (!this.#channel || !text || text === had) return;
    await new Promise<void>((resolve) => {
      this.#endTurn = resolve;
      setTimeout(resolve, this.#waiting ? 0 : HOLD_MS);
    });
  }

  #receive(message: TabMessage): void {
    if (!('wantedBy' in message)) {
      this.#onNews(message);
      // Deferred: the news may complete a waiting task, which then leaves the queue first.
      setTimeout(() => this.#waiting && this.#requestTurn());
    } else if (this.#endTurn) {
      if (message.wantedBy === this.#getToken()?.text) this.#endTurn();
      else this.share();
    }
  }
}
