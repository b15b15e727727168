import { JwtAllauthError } from '../error.js';
import { authError } from '../error-table.js';
import type { HttpRequest } from './http-message.js';

/** Maximum size of a body in bytes: the default limit of the body parser. */
const MAX_BYTES = 102_400;

/** The parts of an Express request that a body parser reads and writes. */
export interface BodyRequest extends HttpRequest {
  /** Whether the whole stream has been read. */
  readonly readableEnded: boolean;
  /** The parsed body. */
  body?: unknown;
  /** The raw bytes, if a host such as Cloud Functions has read them. */
  readonly rawBody?: unknown;
  /** Version 1 of body-parser skips a request with this flag. Version 2 looks at the stream. */
  _body?: boolean;
}

/** The media type of a body in lower case, without parameters; empty if none was sent. */
export function mediaTypeOf({ headers }: HttpRequest): string {
  return headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? '';
}

/**
 * Accepts the body if a middleware such as `express.json()` has read it already: the parser of routing-controllers
 * would fail on the empty stream, because version 1 of body-parser does not know that Express 5 has parsed it.
 *
 * @returns the error that `accept` throws, if any
 */
export function errorOfReadBody(request: BodyRequest, accept: (request: BodyRequest) => void): unknown {
  if (!request.readableEnded) return undefined;
  try {
    accept(request);
    return undefined;
  } catch (error) {
    return error;
  }
}

/**
 * Accepts a JSON body that was read already: parsed, as text or as bytes. The size limit is checked if the length is
 * known.
 *
 * @throws payload_too_large, malformed_json, validation_failed; unsupported_media_type for bytes in an unknown charset;
 * TypeError if the body was read but not stored
 */
export function acceptJsonBody(request: BodyRequest): void {
  const read = storedBody(request);
  const text = textOf(read, request);
  const body = text === undefined ? read : parse(text);
  if (typeof body !== 'object') throw notAnObject();
  storeBody(request, body);
}

/**
 * Accepts a form body that was read already.
 * @throws payload_too_large, unsupported_media_type; TypeError if the body was read but not stored
 */
export function acceptFormBody(request: BodyRequest): void {
  const read = storedBody(request);
  storeBody(request, textOf(read, request) ?? read);
}

/** Sets an empty body, for a request without a body or one whose body is ignored. */
export function acceptEmptyBody(request: BodyRequest): void {
  storeBody(request, {});
}

/** The error 400 for a body that is well-formed JSON but not an object. */
export function notAnObject(): JwtAllauthError {
  return authError('validation_failed', { errors: [{ field: '', messages: ['must be a JSON object'] }] });
}

function storeBody(request: BodyRequest, body: unknown): void {
  request.body = body;
  request._body = true;
}

function storedBody(request: BodyRequest): unknown {
  const { body, rawBody, headers } = request;
  const stored = body === undefined ? rawBody : body;
  if (stored === undefined)
    throw new TypeError('A middleware has read the body, but has not stored it in request.body.');
  const isCompressed = (headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity';
  const length = typeof stored === 'string' || stored instanceof Uint8Array ? Buffer.byteLength(stored) : 0;
  if (Math.max(length, isCompressed ? 0 : Number(headers['content-length'] ?? 0)) > MAX_BYTES) {
    throw authError('payload_too_large');
  }
  return stored;
}

/** A body as text, if it has not been parsed. Bytes are decoded with the Unicode charset that the request names. */
function textOf(body: unknown, { headers }: BodyRequest): string | undefined {
  if (typeof body === 'string') return body;
  if (!(body instanceof Uint8Array)) return undefined;
  const charset = /;\s*charset="?([\w-]+)/i.exec(headers['content-type'] ?? '')?.[1]?.toLowerCase() ?? 'utf-8';
  try {
    if (charset.startsWith('utf-')) return new TextDecoder(charset, { ignoreBOM: true }).decode(body);
  } catch {
    // unknown charset
  }
  throw authError('unsupported_media_type');
}

function parse(text: string): unknown {
  if (text === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    throw authError('malformed_json');
  }
}
