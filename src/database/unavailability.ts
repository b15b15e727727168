/**
 * SQLSTATE classes that say "not now": connection lost, out of resources, conflict with others, stopped by an operator.
 */
const SQLSTATE_CLASSES = ['08', '40', '53', '57'];

const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
]);

/** What `pg` and its pool say without a code. */
const MESSAGES = [
  'timeout exceeded when trying to connect',
  'Connection terminated',
  'Client has encountered a connection error',
  'Query read timeout',
  'Cannot use a pool after calling end',
  'Client was closed',
];

/** A standby during a failover, a transaction that timed out, an object or a lock that others hold. */
const SQLSTATES = ['25006', '25P03', '25P04', '55006', '55P03'];

/** What PostgreSQL says, by a code of the class of lost connections, of a statement with a NUL in it. */
const NUL_MESSAGE = 'invalid message format';

/** Whether the database could not serve a statement now, so that the same request may succeed later. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (code === '08P01' && error.message.endsWith(NUL_MESSAGE)) return false;
  const isSqlState = /^[0-9A-Z]{5}$/.test(code);
  return (
    NETWORK_CODES.has(code) ||
    SQLSTATES.includes(code) ||
    (isSqlState && SQLSTATE_CLASSES.includes(code.slice(0, 2))) ||
    MESSAGES.some((message) => error.message.startsWith(message))
  );
}
