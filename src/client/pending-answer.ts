/** Milliseconds from the start of a request within which its answer arrives. */
const ANSWERED = 2000;

/**
 * Marks for all tabs that an answer which changes the cookie is under way. A page that is left meanwhile loses its turn, but
 * the answer still arrives, and would put its cookie in the place of a newer one: whoever has the next turn gives it time.
 */
export class PendingAnswer {
  /** @param key under which `localStorage` keeps when the request began: no secret */
  constructor(private readonly key: string) {}

  /** Sends in its turn. The mark of one that was left, or that failed and may be answered nevertheless, stays. */
  async during<T>(send: () => Promise<T>): Promise<T> {
    let began = 0;
    attempt(() => {
      began = Number(localStorage.getItem(this.key));
    });
    const left = began + ANSWERED - Date.now();
    if (left > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(left, ANSWERED)));
    attempt(() => localStorage.setItem(this.key, `${Date.now()}`));
    const result = await send();
    attempt(() => localStorage.removeItem(this.key));
    return result;
  }
}

/** A browser may forbid a page its storage, which may be full as well. */
function attempt(use: () => void): void {
  try {
    use();
  } catch {}
}
