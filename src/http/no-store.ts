import type { HttpRequest, HttpResponse, Next } from './http-message.js';

/** Forbids caches to store the answer (RFC 6749 §5.1), also an error. Forbids browsers to guess its media type. */
export function noStore(request: HttpRequest, response: HttpResponse, next: Next): void {
  response.setHeader('Cache-Control', 'no-store');
  noSniff(request, response, next);
}

/** Forbids browsers to guess the media type. */
export function noSniff(_request: HttpRequest, response: HttpResponse, next: Next): void {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  next();
}
