/** Time after its start within which the answer to a request is expected, in milliseconds. */
const ANSWER_MS = 2000;

/**
 * Marks for all tabs that a request which changes the cookie is waiting for its answer. If its page is closed
 * meanwhile, the turn of that tab (`Tabs`) ends, but the answer still arrives and would overwrite a newer cookie. So
 * the tab with the next turn waits for that answer.
 */
export interface PendingAnswer {
  /** Waits until the answer to a request of a page that was closed has probably arrived. */
  wait(): Promise<unknown>;
  /**
   * Sends a request, and keeps the mark until the answer has arrived. If the request fails, the mark stays, because
   * browsers fail requests when a page is closed.
   */
  during<T>(send: () => Promise<T>): Promise<T>;
}

/** @param key the `localStorage` key for the start time of the request; it is not secret */
export function pendingAnswer(key: string): PendingAnswer {
  let storage: Record<string, string> = {};
  try {
    storage = localStorage;
  } catch {} // forbidden
  return {
    wait: async () => {
      const left = Number(storage[key]) + ANSWER_MS - Date.now();
      if (left > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(left, ANSWER_MS)));
    },
    during: async (send) => {
      const now = `${Date.now()}`;
      try {
        storage[key] = now;
      } catch {} // full
      const result = await send();
      if (storage[key] === now) delete storage[key];
      return result;
    },
  };
}
