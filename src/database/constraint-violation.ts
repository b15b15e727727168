/** SQLSTATE of a unique violation (PostgreSQL documentation, appendix A). */
const UNIQUE_VIOLATION = '23505';

/** SQLSTATEs of a foreign key violation. Since PostgreSQL 18, ON DELETE RESTRICT has the second one. */
const FOREIGN_KEY_VIOLATIONS = ['23503', '23001'];

/** Whether a statement failed because another row has the same value in a unique column. */
export function isUniqueViolation(error: unknown): boolean {
  return codeOf(error) === UNIQUE_VIOLATION;
}

/** SQLSTATE of null in a NOT NULL column. ON DELETE SET NULL on such a column fails with it. */
const NOT_NULL_VIOLATION = '23502';

/** Whether a statement failed because it would set a NOT NULL column to null. */
export function isNotNullViolation(error: unknown): boolean {
  return codeOf(error) === NOT_NULL_VIOLATION;
}

/** Whether a statement failed at a foreign key. For a DELETE: another row references the deleted row. */
export function isForeignKeyViolation(error: unknown): boolean {
  return FOREIGN_KEY_VIOLATIONS.includes(String(codeOf(error)));
}

/** Names of the database objects that a violation concerns. */
interface Violation {
  readonly constraint?: string;
  readonly table?: string;
  readonly column?: string;
}

/** The constraint or column of a violation, and its table. Contains no value of a row, so that it can be logged. */
export function violatedConstraint(error: unknown): Violation {
  const { constraint, table, column } = (error ?? {}) as Violation;
  return { ...(constraint && { constraint }), table, ...(column && { column }) };
}

/** The SQLSTATE of an error of pg. MikroORM copies it to its own errors. */
function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
