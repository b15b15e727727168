import { authError } from '../error-table.js';
import type { HttpResponse, Next } from './http-message.js';
import { acceptEmptyBody, acceptJsonBody, type BodyRequest, errorOfReadBody, mediaTypeOf } from './read-body.js';

/**
 * Refuses a body that is not `application/json`, which the body parser would leave unread and so take for an empty one.
 * A body that something before us has read is taken as it is.
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
