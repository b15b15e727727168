/** SQLSTATE of a value that only one row may have. */
const UNIQUE_VIOLATION = '23505';

/** Whether a statement failed because another row has a value that only one may have. */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === UNIQUE_VIOLATION;
}
