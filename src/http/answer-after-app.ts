import type { HttpRequest, HttpResponse, Next } from './http-message.js';

/** The part of an Express app that this file uses. */
interface ExpressApp {
  readonly parent?: ExpressApp;
  use(handler: typeof answerIfUnanswered): unknown;
}

/** How requests are answered once every error handler of the app has seen the error. */
const waiting = new WeakMap<object, () => void>();
const equipped = new WeakSet<object>();

/**
 * Hands an error on to what the app has registered behind us, such as an error tracker, and answers the request when
 * nothing there has. For this a handler is put at the end of the app, at the first such error: everything else is
 * registered then.
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

// Express knows an error handler by its four parameters.
function answerIfUnanswered(error: unknown, request: HttpRequest, response: HttpResponse, next: Next): void {
  const answer = waiting.get(request);
  if (answer && !response.headersSent) answer();
  else next(error);
}

function rootOf(app: ExpressApp): ExpressApp {
  return app.parent ? rootOf(app.parent) : app;
}
