/** Milliseconds after which a request of a page that was left has surely been answered; less than the server's grace. */
const SETTLED = 5000;

/**
 * Remembers a refresh that a reload cut off. Its answer may arrive after those of the next page, and put an older token back
 * into the cookie: within the grace that is mended by one more refresh, and after it would be taken for a replay.
 */
export class Interruption {
  #isPending = false;

  /** @param key under which the tab notes that a refresh is under way; it is no secret */
  constructor(
    private readonly key: string,
    mend: () => Promise<unknown>,
  ) {
    if (!storage()?.getItem(key)) return;
    this.#isPending = true;
    setTimeout(async () => {
      await mend().catch(() => {});
      this.#isPending = false;
      this.#note(false);
    }, SETTLED);
  }

  /** Runs a refresh, so that the next page of this tab knows if this one does not see its end. */
  async watch<T>(refresh: () => Promise<T>): Promise<T> {
    this.#note(true);
    try {
      return await refresh();
    } finally {
      if (!this.#isPending) this.#note(false);
    }
  }

  #note(isUnderWay: boolean): void {
    if (isUnderWay) storage()?.setItem(this.key, '1');
    else storage()?.removeItem(this.key);
  }
}

/** The tab's storage, where a browser has one and lets us. */
function storage(): Pick<typeof globalThis.sessionStorage, 'getItem' | 'setItem' | 'removeItem'> | undefined {
  try {
    return globalThis.sessionStorage;
  } catch {
    return undefined;
  }
}
