import type { Before, HttpResponse } from '../http-message.js';

/** Responses to people, who are shown an error as a page. */
const shown = new WeakSet<HttpResponse>();

/** For `@UseBefore` on a route that a person opens: its errors are pages, and not problem details. */
export const errorsAsPages: Before = (_request, response, next) => {
  shown.add(response);
  next();
};

/** Whether `errorsAsPages` saw a response. */
export function hasErrorsAsPages(response: HttpResponse): boolean {
  return shown.has(response);
}
