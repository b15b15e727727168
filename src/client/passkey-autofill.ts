import type { PasskeyOptions } from '../features/passkeys/passkeys.client.js';
import { showDialog } from './passkey-dialog.js';

/** A challenge is replaced after this fraction of its validity. */
const REPLACED_AFTER = 0.8;

/** How long a challenge is valid if the server does not say it, in milliseconds. */
const VALID_MS = 300_000;

/** The pause after a failed replacement, in milliseconds. */
const RETRY_MS = 10_000;

/** A global of browsers. */
interface Page {
  readonly document: {
    readonly hidden: boolean;
    addEventListener(type: string, listener: () => void, options: { once: boolean; signal: AbortSignal }): void;
  };
}

/**
 * Waits until the user picks a passkey in the autofill of a form field. Browsers let this wait for hours. So it gets
 * new options before the challenge of the old ones expires, except while the page is hidden.
 *
 * @returns the JSON for the server
 */
export async function autofilled(getOptions: () => Promise<PasskeyOptions>, signal: AbortSignal): Promise<object> {
  let options = await getOptions();
  for (;;) {
    signal.throwIfAborted();
    const round = new AbortController();
    const end = () => round.abort();
    signal.addEventListener('abort', end);
    let next: PasskeyOptions | undefined;
    let timer = setTimeout(replace, (options.timeout ?? VALID_MS) * REPLACED_AFTER);
    async function replace(): Promise<void> {
      const { document } = globalThis as unknown as Page;
      if (document.hidden) {
        document.addEventListener('visibilitychange', replace, { once: true, signal: round.signal });
        return;
      }
      next = await getOptions().catch(() => undefined);
      if (next) end();
      else if (!round.signal.aborted) timer = setTimeout(replace, RETRY_MS);
    }
    try {
      return await showDialog('get', options, round.signal, 'conditional');
    } catch (error) {
      if (!next) throw error;
      options = next;
    } finally {
      clearTimeout(timer);
      end();
      signal.removeEventListener('abort', end);
    }
  }
}
