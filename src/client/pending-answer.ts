/** Milliseconds from the start of a request within which its answer arrives. */
const ANSWERED = 2000;

/**
 * Marks for all tabs that an answer which changes the cookie is under way. A page that is left meanwhile loses its
 * turn, but the answer still arrives, and would put its cookie in the place of a newer one: whoever has the next turn
 * gives it time.
 */
export interface PendingAnswer {
  /** Waits for the answer to a request of a page that was left. */
  arrived(): Promise<unknown>;
  /**
   * Sends, with a mark until the answer has come. That of a request that failed stays: browsers fail it in leaving a
   * page.
   */
  during<T>(send: () => Promise<T>): Promise<T>;
}

/** @param key under which `localStorage` keeps when the request began: no secret */
export function pendingAnswer(key: string): PendingAnswer {
  const began = () => attempt(() => localStorage[key]);
  return {
    arrived: async () => {
      const left = Number(began()) + ANSWERED - Date.now();
      if (left > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(left, ANSWERED)));
    },
    during: async (send) => {
      const now = `${Date.now()}`;
      attempt(() => {
        localStorage[key] = now;
      });
      const result = await send();
      if (began() === now) attempt(() => delete localStorage[key]);
      return result;
    },
  };
}

/** A browser may forbid a page its storage, which may be full as well. */
function attempt<T>(use: () => T): T | undefined {
  try {
    return use();
  } catch {
    return undefined;
  }
}
