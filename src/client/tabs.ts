import type { AuthError } from './auth-error.js';

/** What tabs tell each other: a new access token, the end of a session, a refresh that failed, the wish to go next. */
export type TabMessage =
  | { readonly token: string; readonly receivedAt: number }
  | { readonly ended: string | undefined; readonly reason: string | undefined }
  | { readonly failed: Pick<AuthError, 'code' | 'status' | 'message' | 'errors' | 'retryAfter'> }
  | { readonly wantedBy: string | undefined };

/** Milliseconds for which a tab stays first after it has got a token: longer than its message to the others can take. */
const HOLD = 5000;

/**
 * The tabs of one browser, which share one refresh token and therefore act one at a time. Without Web Locks or a
 * BroadcastChannel each tab acts alone, and the server's grace (REFRESH_REUSE_GRACE) keeps them apart.
 */
export class Tabs {
  readonly #locks = globalThis.navigator?.locks;
  #channel?: InstanceType<typeof BroadcastChannel>;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #letGo?: () => void;

  /**
   * @param name what those have in common that share; undefined: nobody shares with this one
   * @param have the access token that this tab has
   * @param receive called with what other tabs tell
   */
  constructor(
    private readonly name: string | undefined,
    private readonly have: () => { readonly text: string; readonly receivedAt: number } | undefined,
    private readonly receive: (message: TabMessage) => void,
  ) {
    if (!name || !globalThis.BroadcastChannel) return;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }: { data: TabMessage }) => this.#receive(data);
  }

  /** Tells the other tabs. */
  tell(message: TabMessage): void {
    this.#channel?.postMessage(message);
  }

  /** Shows the others the token that this tab has got. */
  show(): void {
    const token = this.have();
    if (token) this.tell({ token: token.text, receivedAt: token.receivedAt });
  }

  /**
   * Runs what changes the refresh token, one at a time over all tabs. A tab that has got a token stays first until its
   * message has surely arrived everywhere, so that nobody who waited for the same token fetches one more. It makes room at
   * once for a tab that knows its token.
   *
   * @param signal ends the wait, not what already runs
   */
  async next<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const locks = this.name && this.#locks;
    if (!locks) {
      const run = this.#last.then(task);
      this.#last = run.catch(() => {});
      return run;
    }
    this.#waiting++;
    this.#ask();
    return new Promise((resolve, reject) => {
      const started = async () => {
        this.#waiting--;
        const result = task();
        result.then(resolve, reject);
        await result.then(
          () => this.#hold(),
          () => {},
        );
      };
      locks.request(this.name as string, { signal }, started).catch((error) => {
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
    this.tell({ wantedBy: this.have()?.text });
  }

  async #hold(): Promise<void> {
    if (!this.#channel || this.#waiting || !this.have()) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#letGo = resolve;
      timer = setTimeout(resolve, HOLD);
    });
    clearTimeout(timer);
    this.#letGo = undefined;
  }

  #receive(message: TabMessage): void {
    if (!('wantedBy' in message)) {
      this.receive(message);
      // Later, because who has now got what it waited for leaves the queue first.
      setTimeout(() => this.#waiting && this.#ask());
    } else if (this.#letGo) {
      if (message.wantedBy === this.have()?.text) this.#letGo();
      else this.show();
    }
  }
}
