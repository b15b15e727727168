/**
 * SQLSTATE classes of temporary failures: connection lost (08), conflict with other transactions (40), out of resources
 * (53), intervention by an operator (57).
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

/** Messages of errors of `pg` and its pool that have no code. */
const MESSAGES = [
  'timeout exceeded when trying to connect',
  'Connection terminated',
  'Client has encountered a connection error',
  'Query read timeout',
  'Cannot use a pool after calling end',
  'Client was closed',
];

/**
 * SQLSTATEs of further temporary failures: read-only standby, transaction timeouts, object in use, lock not available.
 */
const SQLSTATES = ['25006', '25P03', '25P04', '55006', '55P03'];

/**
 * SQLSTATE of a database that accepts no connections at present (`allow_connections false`), and the function of
 * PostgreSQL that reports it. Statements get the same code for permanent failures.
 */
const CLOSED_DATABASE = { code: '55000', routine: 'CheckMyDatabase' };

/** The message for a NUL character in a parameter. Its code is in class 08, but the failure is permanent. */
const NUL_MESSAGE = 'invalid message format';

/** Whether a statement failed because of the state of the database, so that the same request may succeed later. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (code === '08P01' && error.message.endsWith(NUL_MESSAGE)) return false;
  if (code === CLOSED_DATABASE.code) return 'routine' in error && error.routine === CLOSED_DATABASE.routine;
  const isSqlState = /^[0-9A-Z]{5}$/.test(code);
  return (
    NETWORK_CODES.has(code) ||
    SQLSTATES.includes(code) ||
    (isSqlState && SQLSTATE_CLASSES.includes(code.slice(0, 2))) ||
    MESSAGES.some((message) => error.message.startsWith(message))
  );
}
