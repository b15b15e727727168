/** Pause between two requests, in milliseconds. */
const PAUSE_MS = 2000;

/**
 * Repeats a request while it is wanted and the page is visible, one at a time. A failed request is repeated too.
 *
 * @param {() => boolean} isWanted
 * @param {() => Promise<void>} request
 * @param {(error: unknown) => void} failed
 * @returns {() => void} sends the request now
 */
export function poll(isWanted, request, failed) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let isBusy = false;
  const next = async () => {
    clearTimeout(timer);
    if (isBusy || document.visibilityState !== 'visible' || !isWanted()) return;
    isBusy = true;
    await request().catch(failed);
    isBusy = false;
    timer = setTimeout(next, PAUSE_MS);
  };
  document.addEventListener('visibilitychange', next);
  return next;
}
