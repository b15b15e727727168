import type { HttpRequest, HttpResponse, Next } from './http-message.js';

/** The part of an Express app that this file uses. */
interface ExpressApp {
  readonly parent?: ExpressApp;
  use(handler: typeof answerIfUnanswered): unknown;
}

/** The function that answers each request after the app's error handlers have run. */
const waiting = new WeakMap<object, () => void>();
const equipped = new WeakSet<object>();

/**
 * Passes an error on to the handlers that the app registered after the library, such as an error tracker, and answers
 * the request if none of them does. To do so it adds a handler at the end of the Express app when the first such error
 * occurs: by then all other handlers are registered.
 */
export function answerAfterApp(error: unknown, request: HttpRequest, next: Next, answer: () => void): void {
  const app = rootOf(request.app as ExpressApp);
  waiting.set(request, answer);
  if (!equipped.has(app)) app.use(answerIfUnanswered);
  equipped.add(app);
  next(error);
}

/** Whether `answerAfterApp` was called for a request. */
export function isHandedToApp(request: object): boolean {
  return waiting.has(request);
}

// Express recognises an error handler by its four parameters.
function answerIfUnanswered(error: unknown, request: HttpRequest, response: HttpResponse, next: Next): void {
  const answer = waiting.get(request);
  if (answer && !response.headersSent) answer();
  else next(error);
}

function rootOf(app: ExpressApp): ExpressApp {
  return app.parent ? rootOf(app.parent) : app;
}
