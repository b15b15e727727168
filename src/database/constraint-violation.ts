/** SQLSTATE of a value that only one row may have (PostgreSQL, appendix A). */
const UNIQUE_VIOLATION = '23505';

/** SQLSTATEs of a row that others point to. The second is that of ON DELETE RESTRICT since PostgreSQL 18. */
const FOREIGN_KEY_VIOLATIONS = ['23503', '23001'];

/** Whether a statement failed because another row has a value that only one may have. */
export function isUniqueViolation(error: unknown): boolean {
  return codeOf(error) === UNIQUE_VIOLATION;
}

/** Whether a statement failed because another row points to what it would delete. */
export function isForeignKeyViolation(error: unknown): boolean {
  return FOREIGN_KEY_VIOLATIONS.includes(String(codeOf(error)));
}

/** What a violation is about, without any value of a row: the names of the constraint and of its table. */
export function violatedConstraint(error: unknown): { readonly constraint?: string; readonly table?: string } {
  const { constraint, table } = (error ?? {}) as { constraint?: string; table?: string };
  return { constraint, table };
}

/** The SQLSTATE of an error of pg, which the ORM passes on in its own. */
function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
