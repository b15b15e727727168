/**
 * SQLSTATEs of a prepared statement whose name is unknown or in use: there is a transaction pooler between the app and
 * PostgreSQL, which switches connections.
 */
const CONNECTION_SWAPPED = ['26000', '42P05'];

/** Whether a prepared statement failed because a transaction pooler has switched the connection. */
export function isPreparedStatementLost(error: unknown): boolean {
  return error instanceof Error && 'code' in error && CONNECTION_SWAPPED.includes(String(error.code));
}
