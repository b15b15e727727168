import { DriverException, ValidationError } from '@mikro-orm/core';

/** Causes of causes that are looked at. */
const MAX_DEPTH = 5;

/**
 * Whether an error, or what caused it, comes from MikroORM or PostgreSQL, whose errors have statements and rows in
 * them.
 */
export function isDatabaseError(error: unknown, depth = MAX_DEPTH): boolean {
  if (!(error instanceof Error) || depth === 0) return false;
  if (error instanceof DriverException || error instanceof ValidationError || 'severity' in error) return true;
  const others = error instanceof AggregateError ? error.errors : [];
  return [error.cause, ...others].some((other) => isDatabaseError(other, depth - 1));
}
