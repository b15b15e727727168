/** SQLSTATE of a value that only one row may have (PostgreSQL, appendix A). */
const UNIQUE_VIOLATION = '23505';

/** SQLSTATEs of a row that others point to. The second is that of ON DELETE RESTRICT since PostgreSQL 18. */
const FOREIGN_KEY_VIOLATIONS = ['23503', '23001'];

/** Whether a statement failed because another row has a value that only one may have. */
export function isUniqueViolation(error: unknown): boolean {
  return codeOf(error) === UNIQUE_VIOLATION;
}

/** SQLSTATE of a null where none may be: ON DELETE SET NULL on such a column prevents a deletion as well. */
const NOT_NULL_VIOLATION = '23502';

/** Whether a statement failed because it would leave a column without a value. */
export function isNotNullViolation(error: unknown): boolean {
  return codeOf(error) === NOT_NULL_VIOLATION;
}

/** Whether a statement failed because another row points to what it would delete. */
export function isForeignKeyViolation(error: unknown): boolean {
  return FOREIGN_KEY_VIOLATIONS.includes(String(codeOf(error)));
}

/** Names in the app's schema. */
interface Violation {
  readonly constraint?: string;
  readonly table?: string;
  readonly column?: string;
}

/**
 * What a violation is about, without any value of a row: the names of the constraint, or of the column, and of its
 * table.
 */
export function violatedConstraint(error: unknown): Violation {
  const { constraint, table, column } = (error ?? {}) as Violation;
  return { ...(constraint && { constraint }), table, ...(column && { column }) };
}

/** The SQLSTATE of an error of pg, which the ORM passes on in its own. */
function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
