import { HttpError } from 'routing-controllers';

/** Error messages of the multipart parser of multer for a broken body. */
const MULTIPART_FAULTS = [
  'Malformed content type',
  'Malformed part header',
  'Malformed urlencoded form',
  'Multipart: Boundary not found',
  'Unexpected end of form',
];

/**
 * Members by which errors of HTTP clients are recognised: axios, superagent, got, ky, undici, Octokit, and the SDKs of
 * other services. Their `status` is the answer of another server to the app.
 */
const UPSTREAM_MEMBERS = [
  'isAxiosError',
  'response',
  'request',
  'config',
  'options',
  'headers',
  'raw',
  '$metadata',
  'requestId',
  'requestID',
  'request_id',
];

/** Statuses that sign a user out or deny access. Only errors that were made for the client may set them. */
const REFUSALS = [401, 403];

/**
 * The HTTP status of an error. Errors that are made for the client carry it: those of routing-controllers, and those of
 * `http-errors` (which have `expose`). Errors of multer are 413 for a file that is too large, and 400 otherwise. Any
 * other `status` or `statusCode` counts as in Express, with two exceptions, which become 500: the statuses 401 and 403,
 * and errors of HTTP clients. If an upstream service refuses the app's request, that is an internal error, which the
 * operator has to see.
 */
export function statusOf(error: unknown): number {
  if (!(error instanceof Error)) return 500;
  const { httpCode, status, statusCode, expose, code } = error as Error & Record<string, unknown>;
  if (error.name === 'MulterError') return code === 'LIMIT_FILE_SIZE' ? 413 : 400;
  const requested = [httpCode, status, statusCode].map(Number).find(isErrorStatus);
  if (requested === undefined) return MULTIPART_FAULTS.includes(error.message) ? 400 : 500;
  if (error instanceof HttpError || typeof expose === 'boolean') return requested;
  const isUpstream = UPSTREAM_MEMBERS.some((member) => member in error);
  return isUpstream || REFUSALS.includes(requested) ? 500 : requested;
}

const isErrorStatus = (status: number) => Number.isInteger(status) && status >= 400 && status <= 599;
