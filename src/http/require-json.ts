import { authError } from '../error-table.js';
import type { HttpResponse, Next } from './http-message.js';
import { acceptEmptyBody, acceptJsonBody, type BodyRequest, errorOfReadBody, mediaTypeOf } from './read-body.js';

/**
 * Refuses a body that is not `application/json`. The body parser would not read it, and it would count as empty. A body
 * that another middleware has read is accepted as it is.
 */
export function requireJson(request: BodyRequest, _response: HttpResponse, next: Next): void {
  const { headers } = request;
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  const isUnread = hasBody && mediaTypeOf(request) !== 'application/json';
  next(
    isUnread
      ? authError('unsupported_media_type')
      : errorOfReadBody(request, hasBody ? acceptJsonBody : acceptEmptyBody),
  );
}
