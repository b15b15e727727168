import { getMetadataArgsStorage, UseBefore } from 'routing-controllers';
import type { SessionCheckMode } from '../settings/session-settings.js';

const modes = new WeakMap<object, SessionCheckMode>();

type Mark = (request: object, response: unknown, next: () => void) => void;

const markAs =
  (mode: SessionCheckMode): Mark =>
  (request, _response, next) => {
    modes.set(request, mode);
    next();
  };

const marks: Readonly<Record<SessionCheckMode, Mark>> = {
  none: markAs('none'),
  'revocation-list': markAs('revocation-list'),
  database: markAs('database'),
};

/**
 * Chooses for an action, or for every action of a controller, how an access token's session is looked at before the
 * token is believed, in place of ACCESS_TOKEN_SESSION_CHECK. What stands on the action counts before what stands on its
 * controller.
 */
export function SessionCheck(mode: SessionCheckMode): MethodDecorator & ClassDecorator {
  if (!Object.hasOwn(marks, mode)) throw new TypeError('@SessionCheck takes none, revocation-list or database');
  const decorate = UseBefore(marks[mode]) as (target: unknown, key?: string | symbol) => void;
  return (target: unknown, key?: string | symbol) => decorate(target, key);
}

/** What the action of this request asked for, if anything. */
export function sessionCheckOf(request: object): SessionCheckMode | undefined {
  return modes.get(request);
}

/** Whether a middleware is what `@SessionCheck` puts on an action. */
export function isSessionCheck(middleware: unknown): boolean {
  return Object.values(marks).some((mark) => mark === middleware);
}

/** Whether any of these controllers asks for the revocation list. */
export function usesRevocationList(controllers: readonly unknown[]): boolean {
  const { uses } = getMetadataArgsStorage();
  return uses.some(({ target, middleware }) => controllers.includes(target) && middleware === marks['revocation-list']);
}
