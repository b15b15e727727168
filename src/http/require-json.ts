import { authError } from '../error-table.js';
import type { HttpResponse, Next } from './http-message.js';
import { acceptEmptyBody, acceptJsonBody, type BodyRequest, errorOfReadBody, mediaTypeOf } from './read-body.js';

/**
 * Refuses a body that is not `application/json`. The body parser would not read it, and it would count as empty. Also
 * accepts a JSON body that another middleware has read (`acceptJsonBody`).
 */
export function requireJson(request: BodyRequest, _response: HttpResponse, next: Next): void {
  const { headers } = request;
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  const isOtherMedia = hasBody && mediaTypeOf(request) !== 'application/json';
  next(
    isOtherMedia
      ? authError('unsupported_media_type')
      : errorOfReadBody(request, hasBody ? acceptJsonBody : acceptEmptyBody),
  );
}
