import { getMetadataArgsStorage } from 'routing-controllers';
import { ErrorCode, JwtAllauthError } from '../error.js';
import { isAccessRule } from './access-rule.js';

/**
 * Refuses controllers that would not be as protected as they look: a subclass of a controller answers the inherited routes
 * without their `@Authorized`, and a rule that is neither a number nor a predicate protects nothing.
 *
 * @throws controller_refused with the class and what to do
 */
export function assertControllersAreSafe(controllers: readonly unknown[]): void {
  for (const controller of controllers) {
    if (typeof controller !== 'function')
      throw refused('controllers must be given as classes, so that they can be checked');
    assertNothingInherited(controller);
    assertRulesUnderstood(controller);
  }
}

type Controller = object & { name?: string };

function assertNothingInherited(controller: Controller): void {
  const { actions } = getMetadataArgsStorage();
  const own = actions.filter(({ target }) => target === controller).map(({ method }) => method);
  for (let base = Object.getPrototypeOf(controller); base?.prototype; base = Object.getPrototypeOf(base)) {
    const routed = actions.filter(({ target, method }) => target === base && !own.includes(method));
    if (routed.length > 0) {
      const methods = routed.map(({ method }) => method).join(', ');
      throw refused(
        `${controller.name} extends ${base.name} and inherits ${methods}, which would lose @Authorized; ` +
          'share code through a service instead',
      );
    }
  }
}

function assertRulesUnderstood(controller: Controller): void {
  const { responseHandlers } = getMetadataArgsStorage();
  const decorated = responseHandlers.filter(({ target, type }) => target === controller && type === 'authorized');
  for (const { method, value } of decorated) {
    const place = `@Authorized on ${controller.name}${method ? `.${method}` : ''}`;
    if (decorated.filter((other) => other.method === method).length > 1) {
      throw refused(`${place} stands there more than once, and only one would count; give one array of rules`);
    }
    if (value === 0) throw refused(`${place} names role 0 in a way that lets everybody in; write @Authorized([0])`);
    if (![value ?? []].flat().every(isAccessRule)) {
      throw refused(`${place} takes role numbers and predicates; what it has is something else`);
    }
  }
}

function refused(detail: string): JwtAllauthError {
  return new JwtAllauthError(ErrorCode.ControllerRefused, 500, detail);
}
