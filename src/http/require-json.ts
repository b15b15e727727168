import { ErrorCode, JwtAllauthError } from '../error.js';
import type { HttpRequest, HttpResponse, Next } from './http-message.js';

/** Refuses a body that is not `application/json`, which the body parser would leave unread and so take for an empty one. */
export function requireJson({ headers }: HttpRequest, _response: HttpResponse, next: Next): void {
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  const isUnread = hasBody && type !== 'application/json';
  next(
    isUnread
      ? new JwtAllauthError(ErrorCode.UnsupportedMediaType, 415, 'The body must be application/json.')
      : undefined,
  );
}
