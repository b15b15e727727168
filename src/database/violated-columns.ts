/** The columns of a unique violation of PostgreSQL, in the detail of its error: `Key (a, lower(b))=(1, x) …`. */
const COLUMNS = /\((.*?)\)=\(/;

/** A name in a list of columns and expressions, quoted if needed. */
const NAME = /"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*/gu;

/**
 * The names in the columns and expressions of the violated index. Empty if PostgreSQL does not name them. Contains no
 * value of a row.
 */
export function violatedColumns(error: unknown): readonly string[] {
  const { detail } = (error ?? {}) as { readonly detail?: unknown };
  const [, columns = ''] = COLUMNS.exec(String(detail ?? '')) ?? [];
  return (columns.match(NAME) ?? []).map((name) => name.replace(/^"|"$/g, '').replaceAll('""', '"'));
}
