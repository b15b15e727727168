/** Makes a signal that is aborted after this time, also on a platform without `AbortSignal.timeout`. */
export function timeoutSignal(milliseconds: number): AbortSignal {
  if (AbortSignal.timeout) return AbortSignal.timeout(milliseconds);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), milliseconds);
  return controller.signal;
}
