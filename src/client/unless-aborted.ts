/** Rejects with the abort reason as soon as the signal is aborted. The work behind the promise may continue. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    // Signals in React Native have no reason.
    const abort = () => reject(signal.reason ?? new Error('Aborted'));
    if (signal.aborted) abort();
    signal.onabort = abort;
    promise.then(resolve, reject);
  });
}
