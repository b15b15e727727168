/** Time within which the answer to a request arrives, in milliseconds. */
const ANSWER_MS = 2000;

/**
 * Marks for all tabs that a request which changes the cookie is waiting for its answer. If its page is closed
 * meanwhile, the lock is released, but the answer still arrives and would overwrite a newer cookie. So the tab that
 * gets the lock next waits for it.
 */
export interface PendingAnswer {
  /** Waits for the answer to a request of a page that was closed. */
  arrived(): Promise<unknown>;
  /**
   * Sends a request, and keeps the mark until the answer has arrived. If the request fails, the mark stays, because
   * browsers fail requests when a page is closed.
   */
  during<T>(send: () => Promise<T>): Promise<T>;
}

/** @param key the `localStorage` key for the start time of the request; it is not secret */
export function pendingAnswer(key: string): PendingAnswer {
  const startedAt = () => tryStorage(() => localStorage[key]);
  return {
    arrived: async () => {
      const left = Number(startedAt()) + ANSWER_MS - Date.now();
      if (left > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(left, ANSWER_MS)));
    },
    during: async (send) => {
      const now = `${Date.now()}`;
      tryStorage(() => {
        localStorage[key] = now;
      });
      const result = await send();
      if (startedAt() === now) tryStorage(() => delete localStorage[key]);
      return result;
    },
  };
}

/** Accesses `localStorage`. Returns undefined if it is forbidden or full. */
function tryStorage<T>(access: () => T): T | undefined {
  try {
    return access();
  } catch {
    return undefined;
  }
}
