import { createHash } from 'node:crypto';
import type { HttpResponse } from '../http-message.js';

/**
 * Sends a page with strict headers: it can load and run nothing, cannot be framed, and sends no referrer to other
 * sites. Its own styles are allowed by their hashes (CSP Level 3 §8.2).
 *
 * @param formTargets origins of other sites to which the answer to the page's form may redirect
 */
export function sendPage(
  response: HttpResponse,
  status: number,
  html: string,
  formTargets: readonly string[] = [],
): HttpResponse {
  const styles = [...html.matchAll(/<style>([\s\S]*?)<\/style>/g)].map(([, style = '']) => `'sha256-${sha256(style)}'`);
  const policy = [
    "default-src 'none'",
    `style-src ${styles.join(' ') || "'none'"}`,
    // A browser applies this to the redirect of the answer as well (CSP Level 3 §6.3.1).
    ["form-action 'self'", ...formTargets].join(' '),
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ];
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  response.setHeader('Content-Security-Policy', policy.join('; '));
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('X-Frame-Options', 'DENY');
  response.setHeader('X-Robots-Tag', 'noindex');
  setPrivacyHeaders(response);
  response.status(status).end(html);
  return response;
}

/** Redirects the browser to a page, with GET (RFC 9110 §15.4.4). */
export function redirect(response: HttpResponse, url: string): HttpResponse {
  response.setHeader('Location', url);
  setPrivacyHeaders(response);
  response.status(303).end('');
  return response;
}

/**
 * Keeps the URL from caches and other sites. `no-referrer` would not work, because it also hides the origin of the
 * built-in form from the origin check.
 */
function setPrivacyHeaders(response: HttpResponse): void {
  response.setHeader('Referrer-Policy', 'same-origin');
  response.setHeader('Cache-Control', 'no-store');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
