/**
 * Whether an error of a hook or gate is a refusal and not a failure: it has a status from 400 to 499. Knows errors of
 * this library and of routing-controllers (`httpCode`) and of `http-errors` (`status` and `expose`).
 */
export function isRefusal(error: unknown): boolean {
  const { httpCode, status, expose } = (error ?? {}) as Readonly<Record<string, unknown>>;
  const asked = httpCode ?? (typeof expose === 'boolean' ? status : undefined);
  return typeof asked === 'number' && asked >= 400 && asked < 500;
}
