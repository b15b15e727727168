import { DriverException, ValidationError } from '@mikro-orm/core';

/** How many nested causes are examined. */
const MAX_DEPTH = 5;

/**
 * Whether an error or one of its causes comes from MikroORM or PostgreSQL. Such errors can contain statements and
 * values of rows, and must not be logged as they are.
 */
export function isDatabaseError(error: unknown, depth = MAX_DEPTH): boolean {
  if (!(error instanceof Error) || depth === 0) return false;
  if (error instanceof DriverException || error instanceof ValidationError || 'severity' in error) return true;
  const others = error instanceof AggregateError ? error.errors : [];
  return [error.cause, ...others].some((other) => isDatabaseError(other, depth - 1));
}
