/** SQLSTATE classes that say "not now": connection lost, out of resources, conflict with others, stopped by an operator. */
const CLASSES = ['08', '40', '53', '55', '57'];

const NETWORK = new Set([
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

/** SQLSTATE of read_only_sql_transaction: a server that is a standby during a failover. */
const READ_ONLY = '25006';

/** Whether the database could not serve a statement now, so that the same request may succeed later. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const isSqlState = /^[0-9A-Z]{5}$/.test(code);
  return (
    NETWORK.has(code) ||
    code === READ_ONLY ||
    (isSqlState && CLASSES.includes(code.slice(0, 2))) ||
    MESSAGES.some((message) => error.message.startsWith(message))
  );
}
