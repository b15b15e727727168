/** Milliseconds from the start of a refresh within which its answer arrives. */
const ANSWERED = 2000;

/**
 * Marks for all tabs that a refresh is under way. A page that is left while it refreshes loses its turn, but its answer still
 * arrives, and would put an older cookie in the place of a newer one: whoever refreshes next gives it time.
 */
export class RefreshMark {
  /** @param key under which `localStorage` keeps when the refresh began: no secret */
  constructor(private readonly key: string) {}

  /** Runs a refresh in its turn. The mark of one that was left, or that failed and may be answered nevertheless, stays. */
  async during<T>(refresh: () => Promise<T>): Promise<T> {
    let began = 0;
    attempt(() => {
      began = Number(localStorage.getItem(this.key));
    });
    const left = began + ANSWERED - Date.now();
    if (left > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(left, ANSWERED)));
    attempt(() => localStorage.setItem(this.key, `${Date.now()}`));
    const result = await refresh();
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
