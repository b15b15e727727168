/**
 * Whether a hook or a gate has refused a sign-in, rather than failed: its error asks for a status from 400 to 499, as
 * one of this library, of routing-controllers or of `http-errors` (which has `expose`) does.
 */
export function isRefusal(error: unknown): boolean {
  const { httpCode, status, expose } = (error ?? {}) as Readonly<Record<string, unknown>>;
  const asked = httpCode ?? (typeof expose === 'boolean' ? status : undefined);
  return typeof asked === 'number' && asked >= 400 && asked < 500;
}
