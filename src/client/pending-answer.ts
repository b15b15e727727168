/** Milliseconds from the start of a request within which its answer arrives. */
const ANSWERED = 2000;

/**
 * Marks for all tabs that an answer which changes the cookie is under way. A page that is left meanwhile loses its turn, but
 * the answer still arrives, and would put its cookie in the place of a newer one: whoever has the next turn gives it time.
 */
export class PendingAnswer {
  /** @param key under which `localStorage` keeps when the request began: no secret */
  constructor(private readonly key: string) {}

  /** Waits for the answer to a request of a page that was left. */
  async arrived(): Promise<void> {
    const left = Number(this.#began()) + ANSWERED - Date.now();
    if (left > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(left, ANSWERED)));
  }

  /** Sends, with a mark until the answer has come. That of a request that failed stays: browsers fail it in leaving a page. */
  async during<T>(send: () => Promise<T>): Promise<T> {
    const began = `${Date.now()}`;
    attempt(() => localStorage.setItem(this.key, began));
    const result = await send();
    if (this.#began() === began) attempt(() => localStorage.removeItem(this.key));
    return result;
  }

  #began(): string | null | undefined {
    return attempt(() => localStorage.getItem(this.key));
  }
}

/** A browser may forbid a page its storage, which may be full as well. */
function attempt<T>(use: () => T): T | undefined {
  try {
    return use();
  } catch {
    return undefined;
  }
}
