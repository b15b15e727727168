import type { AuthError } from './auth-error.js';
import type { PendingAnswer } from './pending-answer.js';

/** What tabs tell each other: a new access token, the end of a session, a refresh that failed, the wish to go next. */
export type TabMessage =
  | { readonly token: string; readonly receivedAt: number }
  | { readonly ended: string | undefined; readonly reason: string | undefined }
  | { readonly failed: ConstructorParameters<typeof AuthError> }
  | { readonly wantedBy: string | undefined };

/** Makes a turn last until this has settled, too. */
export type Linger = (pending: Promise<unknown>) => void;

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
   * @param pending waited for at the beginning of each turn
   * @param have the access token that this tab has
   * @param receive called with what other tabs tell
   */
  constructor(
    private readonly name: string | undefined,
    private readonly pending: PendingAnswer | undefined,
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
   * Runs what changes the refresh token, one at a time over all tabs. A tab that has got a new token stays first until its
   * message has surely arrived everywhere, so that nobody who waited for the same token fetches one more. It makes room at
   * once for a tab that knows its token.
   *
   * @param signal ends the wait, not what already runs
   */
  async next<T>(task: (linger: Linger) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const locks = this.name && this.#locks;
    if (!locks) {
      const turn = this.#last.then(() => this.#begin(task));
      this.#last = turn.then(({ end }) => end());
      return (await turn).result;
    }
    this.#waiting++;
    this.#ask();
    return new Promise((resolve, reject) => {
      const started = async () => {
        this.#waiting--;
        const had = this.have()?.text;
        const { result, end } = this.#begin(task);
        result.then(resolve, reject);
        await result.then(
          () => (this.have()?.text === had ? undefined : this.#hold()),
          () => {},
        );
        await end();
        this.#letGo = undefined;
      };
      locks.request(this.name as string, { signal }, started).catch((error) => {
        this.#waiting--;
        reject(error);
      });
    });
  }

  /** Begins a turn, whose end may be later than its result. */
  #begin<T>(task: (linger: Linger) => Promise<T>): { readonly result: Promise<T>; end(): Promise<unknown> } {
    const lingering: Promise<unknown>[] = [];
    const result = Promise.resolve(this.pending?.arrived()).then(() => task((pending) => lingering.push(pending)));
    return { result, end: () => result.catch(() => {}).then(() => Promise.allSettled(lingering)) };
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
    if (!this.#channel || !this.have()) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#letGo = resolve;
      timer = setTimeout(resolve, this.#waiting ? 0 : HOLD);
    });
    clearTimeout(timer);
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
