/** Whether a hook or a gate has refused a sign-in, rather than failed: its error asks for a status from 400 to 499. */
export function isRefusal(error: unknown): boolean {
  const { httpCode } = (error ?? {}) as { httpCode?: unknown };
  return typeof httpCode === 'number' && httpCode >= 400 && httpCode < 500;
}
