import { HttpError } from 'routing-controllers';

/** What the parser of multer says of a body that is broken. */
const MULTIPART_FAULTS = [
  'Malformed content type',
  'Malformed part header',
  'Malformed urlencoded form',
  'Multipart: Boundary not found',
  'Unexpected end of form',
];

/**
 * Members of the errors of HTTP clients: axios, superagent, got, ky, undici, Octokit, and the SDKs of other services.
 * Their `status` is what another server has answered to the app.
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

/** Statuses that sign a user out or say that something is forbidden. Nobody may ask for them by accident. */
const REFUSALS = [401, 403];

/**
 * The status that an error asks for. Errors that are made for the client have it: those of routing-controllers, those
 * of `http-errors` (which have `expose`), and those of multer. Any other `status` or `statusCode` counts as in Express,
 * except 401 and 403, and except in errors of HTTP clients: what an upstream service refuses to the app is a fault of
 * the app, which its operator has to see.
 */
export function statusOf(error: unknown): number {
  if (!(error instanceof Error)) return 500;
  const { httpCode, status, statusCode, expose, code } = error as Error & Record<string, unknown>;
  if (error.name === 'MulterError') return code === 'LIMIT_FILE_SIZE' ? 413 : 400;
  const asked = [httpCode, status, statusCode].map(Number).find(isErrorStatus);
  if (asked === undefined) return MULTIPART_FAULTS.includes(error.message) ? 400 : 500;
  if (error instanceof HttpError || typeof expose === 'boolean') return asked;
  const isUpstream = UPSTREAM_MEMBERS.some((member) => member in error);
  return isUpstream || REFUSALS.includes(asked) ? 500 : asked;
}

const isErrorStatus = (status: number) => Number.isInteger(status) && status >= 400 && status <= 599;
