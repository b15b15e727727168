import type { Before, HttpResponse } from '../http-message.js';

/** Responses whose errors are sent as HTML pages. */
const responses = new WeakSet<HttpResponse>();

/**
 * For `@UseBefore` on a route that a person opens in a browser: its errors are sent as HTML pages instead of problem
 * details.
 */
export const errorsAsPages: Before = (_request, response, next) => {
  responses.add(response);
  next();
};

/** Whether `errorsAsPages` ran for a response. */
export function hasErrorsAsPages(response: HttpResponse): boolean {
  return responses.has(response);
}
