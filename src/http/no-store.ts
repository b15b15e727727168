import type { HttpRequest, HttpResponse, Next } from './http-message.js';

/** Keeps tokens and profiles out of every cache (RFC 6749 §5.1), errors included, and browsers from guessing a type. */
export function noStore(request: HttpRequest, response: HttpResponse, next: Next): void {
  response.setHeader('Cache-Control', 'no-store');
  noSniff(request, response, next);
}

/** Keeps browsers from guessing a type. */
export function noSniff(_request: HttpRequest, response: HttpResponse, next: Next): void {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  next();
}
