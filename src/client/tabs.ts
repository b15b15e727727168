import type { AccessToken } from './access-token.js';
import type { AuthError } from './auth-error.js';
import type { PendingAnswer } from './pending-answer.js';

/** What tabs tell each other: a new access token, the end of a session, a refresh that failed, the wish to go next. */
export type TabMessage =
  | { readonly token: ConstructorParameters<typeof AccessToken> }
  | { readonly ended: string | undefined; readonly reason: string | undefined }
  | { readonly failed: Partial<AuthError> }
  | { readonly wantedBy: string | undefined };

/** Makes a turn last until this has settled, too. */
export type Linger = (pending: Promise<unknown>) => void;

/** Handles an error that is reported elsewhere. */
export const ignore = () => {};

/**
 * Milliseconds for which a tab stays first after it has got a token: longer than its message to the others can take.
 */
const HOLD = 5000;

/**
 * The tabs of one browser, which share one refresh token and therefore act one at a time. Without Web Locks or a
 * BroadcastChannel each tab acts alone, and the server's grace (REFRESH_REUSE_GRACE) keeps them apart.
 */
export class Tabs {
  readonly #hear: (message: TabMessage) => void;
  readonly #have: () => AccessToken | undefined;
  readonly #pending: PendingAnswer | undefined;
  readonly #name: string | undefined;
  readonly #locks?: typeof navigator.locks | undefined;
  #channel?: InstanceType<typeof BroadcastChannel>;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #letGo?: () => void;

  /**
   * @param name what those have in common that share; undefined: nobody shares with this one
   * @param pending waited for at the beginning of each turn
   * @param have the access token that this tab has
   * @param receive called with what other tabs tell
   */
  constructor(
    name: string | undefined,
    pending: PendingAnswer | undefined,
    have: () => AccessToken | undefined,
    receive: (message: TabMessage) => void,
  ) {
    this.#name = name;
    this.#pending = pending;
    this.#have = have;
    this.#hear = receive;
    if (!name) return;
    this.#locks = globalThis.navigator?.locks;
    if (!globalThis.BroadcastChannel) return;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }: { data: TabMessage }) => this.#receive(data);
  }

  /** Whether nothing else changes the refresh token during a turn. */
  get isOrdered(): boolean {
    return !this.#name || Boolean(this.#locks);
  }

  /** Tells the other tabs. */
  tell(message: TabMessage): void {
    this.#channel?.postMessage(message);
  }

  /** Shows the others the token that this tab has got. */
  show(): void {
    const token = this.#have();
    if (token) this.tell({ token: [token.text, token.receivedAt, token.chance] });
  }

  /**
   * Runs what changes the refresh token, one at a time over all tabs. A tab that has got a new token stays first until
   * its message has surely arrived everywhere, so that nobody who waited for the same token fetches one more. It makes
   * room at once for a tab that knows its token.
   *
   * @param signal ends the wait, not what already runs
   */
  next<T>(task: (linger: Linger) => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.#waiting++;
    this.#ask();
    return new Promise((resolve, reject) => {
      const turn = async () => {
        this.#waiting--;
        const had = this.#have()?.text;
        const lingering: Promise<unknown>[] = [];
        const result = Promise.resolve(this.#pending?.arrived()).then(() => task((each) => lingering.push(each)));
        resolve(result);
        await result.then(() => this.#hold(had), ignore);
        await Promise.allSettled(lingering);
        this.#letGo = undefined;
      };
      this.#last = this.#locks?.request(this.#name as string, { signal }, turn) ?? this.#last.then(turn);
      this.#last.catch((error) => {
        this.#waiting--;
        reject(error);
      });
    });
  }

  /** Lets others go first, and hears of them no more. */
  close(): void {
    this.#letGo?.();
    this.#channel?.close();
    this.#channel = undefined;
  }

  #ask(): void {
    this.#letGo?.();
    this.tell({ wantedBy: this.#have()?.text });
  }

  /** Stays first, after another token than `had` has come. */
  async #hold(had: string | undefined): Promise<void> {
    const text = this.#have()?.text;
    if (!this.#channel || !text || text === had) return;
    await new Promise<void>((resolve) => {
      this.#letGo = resolve;
      setTimeout(resolve, this.#waiting ? 0 : HOLD);
    });
  }

  #receive(message: TabMessage): void {
    if (!('wantedBy' in message)) {
      this.#hear(message);
      // Later, because who has now got what it waited for leaves the queue first.
      setTimeout(() => this.#waiting && this.#ask());
    } else if (this.#letGo) {
      if (message.wantedBy === this.#have()?.text) this.#letGo();
      else this.show();
    }
  }
}
