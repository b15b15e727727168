import { JwtAllauthError } from '../error.js';
import { authError } from '../error-table.js';
import type { HttpRequest } from './http-message.js';

/** Bytes of the longest body: the default limit of the body parser. */
const MAX_BYTES = 102_400;

/** The parts of an Express request that a body parser reads and writes. */
export interface BodyRequest extends HttpRequest {
  /** Whether the whole stream has been read. */
  readonly readableEnded: boolean;
  /** What a parser made of the body. */
  body?: unknown;
  /** The bytes, where a host such as Cloud Functions has read them. */
  readonly rawBody?: unknown;
  /** Where version 1 of body-parser finds that there is nothing left to read. Version 2 looks at the stream. */
  _body?: boolean;
}

/** The media type of a body in small letters, without its parameters; empty where none was sent. */
export function mediaTypeOf({ headers }: HttpRequest): string {
  return headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? '';
}

/**
 * Takes the body if something before us has read it, such as `express.json()`: the parser of routing-controllers would
 * fail on the empty stream, because version 1 of body-parser does not know what Express 5 has parsed.
 *
 * @returns what `take` throws
 */
export function errorOfReadBody(request: BodyRequest, take: (request: BodyRequest) => void): unknown {
  if (!request.readableEnded) return undefined;
  try {
    take(request);
    return undefined;
  } catch (error) {
    return error;
  }
}

/**
 * Takes a JSON body that something before us has read: parsed, as text or as bytes. Our limit holds as far as the
 * length is known.
 *
 * @throws payload_too_large, malformed_json, validation_failed; TypeError where the body was read and not kept
 */
export function acceptJsonBody(request: BodyRequest): void {
  const read = keptBody(request);
  const text = textOf(read, request);
  const body = text === undefined ? read : parse(text);
  if (typeof body !== 'object') throw notAnObject();
  keep(request, body);
}

/**
 * Takes the body of a form that something before us has read.
 * @throws payload_too_large; TypeError where it was not kept
 */
export function acceptFormBody(request: BodyRequest): void {
  const read = keptBody(request);
  keep(request, textOf(read, request) ?? read);
}

/** Takes it that there is no body, or none that counts. */
export function acceptEmptyBody(request: BodyRequest): void {
  keep(request, {});
}

/** 400: the body is well-formed JSON, but it is no object. */
export function notAnObject(): JwtAllauthError {
  return authError('validation_failed', { errors: [{ field: '', messages: ['must be a JSON object'] }] });
}

function keep(request: BodyRequest, body: unknown): void {
  request.body = body;
  request._body = true;
}

function keptBody(request: BodyRequest): unknown {
  const { body, rawBody, headers } = request;
  const kept = body === undefined ? rawBody : body;
  if (kept === undefined) throw new TypeError('A middleware has read the body and has not kept it in request.body.');
  const isCompressed = (headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity';
  const length = typeof kept === 'string' || kept instanceof Uint8Array ? Buffer.byteLength(kept) : 0;
  if (Math.max(length, isCompressed ? 0 : Number(headers['content-length'] ?? 0)) > MAX_BYTES) {
    throw authError('payload_too_large');
  }
  return kept;
}

/** A body as text, where it was not parsed. Bytes are read in the Unicode charset that the request names. */
function textOf(body: unknown, { headers }: BodyRequest): string | undefined {
  if (typeof body === 'string') return body;
  if (!(body instanceof Uint8Array)) return undefined;
  const charset = /;\s*charset="?([\w-]+)/i.exec(headers['content-type'] ?? '')?.[1]?.toLowerCase() ?? 'utf-8';
  try {
    if (charset.startsWith('utf-')) return new TextDecoder(charset, { ignoreBOM: true }).decode(body);
  } catch {
    // a charset that does not exist
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
