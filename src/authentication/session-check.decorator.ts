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
 * Sets how the session of an access token is checked, for one action or for all actions of a controller. It overrides
 * ACCESS_TOKEN_SESSION_CHECK; the decorator on an action overrides the one on its controller.
 */
export function SessionCheck(mode: SessionCheckMode): MethodDecorator & ClassDecorator {
  if (!Object.hasOwn(marks, mode)) throw new TypeError('@SessionCheck accepts none, revocation-list or database');
  const decorate = UseBefore(marks[mode]) as (target: unknown, key?: string | symbol) => void;
  return (target: unknown, key?: string | symbol) => decorate(target, key);
}

/** The mode from `@SessionCheck` of the current action, if there is one. */
export function sessionCheckOf(request: object): SessionCheckMode | undefined {
  return modes.get(request);
}

/** Whether a middleware was added by `@SessionCheck`. */
export function isSessionCheck(middleware: unknown): boolean {
  return Object.values(marks).some((mark) => mark === middleware);
}

/** Whether any of these controllers has `@SessionCheck('revocation-list')`. */
export function usesRevocationList(controllers: readonly unknown[]): boolean {
  const { uses } = getMetadataArgsStorage();
  return uses.some(({ target, middleware }) => controllers.includes(target) && middleware === marks['revocation-list']);
}
