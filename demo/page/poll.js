/** Milliseconds between two questions. */
const PAUSE = 2000;

/**
 * Asks again and again while somebody is signed in and looks at the page, one question at a time. A question that fails
 * is asked again.
 *
 * @param {() => boolean} isWanted
 * @param {() => Promise<void>} ask
 * @param {(error: unknown) => void} failed
 * @returns {() => void} asks at once
 */
export function poll(isWanted, ask, failed) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let isAsking = false;
  const next = async () => {
    clearTimeout(timer);
    if (isAsking || document.visibilityState !== 'visible' || !isWanted()) return;
    isAsking = true;
    await ask().catch(failed);
    isAsking = false;
    timer = setTimeout(next, PAUSE);
  };
  document.addEventListener('visibilitychange', next);
  return next;
}
