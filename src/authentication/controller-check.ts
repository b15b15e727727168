import { getMetadataArgsStorage } from 'routing-controllers';
import { JwtAllauthError } from '../error.js';
import { authError } from '../error-table.js';
import { BaseUser } from '../users/base-user.entity.js';
import { isAccessRule } from './access-rule.js';
import { isLoadUser } from './load-user.decorator.js';
import { isSessionCheck } from './session-check.decorator.js';

/**
 * Refuses controllers that are less protected than they look. A subclass inherits neither `@Authorized` nor
 * `@UseBefore`, and a rule that is neither a number nor a predicate protects nothing. It also refuses an action that
 * declares the user entity but would get a principal.
 *
 * @param userEntity the app's user entity
 * @throws controller_refused; the detail says what is wrong
 */
export function assertControllersAreSafe(controllers: readonly unknown[], userEntity: unknown): void {
  for (const controller of controllers) {
    if (typeof controller !== 'function')
      throw refused('controllers must be passed as classes so that they can be checked');
    assertNothingInherited(controller);
    assertRulesUnderstood(controller);
    assertOneSessionCheck(controller);
    assertMarksAreGuarded(controller);
    assertUsersAreLoaded(controller, userEntity);
  }
}

type Controller = object & { name?: string };

/** What routing-controllers stores about a decorator. A decorator applies to `target`, and never to its subclasses. */
interface DecoratorMetadata {
  readonly target: unknown;
  readonly method?: string;
}

function assertNothingInherited(controller: Controller): void {
  const { actions, responseHandlers, uses } = getMetadataArgsStorage();
  const routes = actions.filter(({ target }) => target === controller).map(({ method }) => method);
  const guards: Record<string, DecoratorMetadata[]> = {
    '@Authorized': responseHandlers.filter(({ type }) => type === 'authorized') as DecoratorMetadata[],
    '@SessionCheck': uses.filter(({ middleware }) => isSessionCheck(middleware)) as DecoratorMetadata[],
    '@LoadUser': uses.filter(({ middleware }) => isLoadUser(middleware)) as DecoratorMetadata[],
    '@UseBefore': uses as DecoratorMetadata[],
  };
  for (let base = Object.getPrototypeOf(controller); base?.prototype; base = Object.getPrototypeOf(base)) {
    const inherited = actions.filter(({ target, method }) => target === base && !routes.includes(method));
    if (inherited.length > 0) {
      const methods = inherited.map(({ method }) => method).join(', ');
      throw refused(
        `${controller.name} extends ${base.name} and inherits ${methods}; @Authorized is not inherited; ${ADVICE}`,
      );
    }
    for (const [guard, decorators] of Object.entries(guards)) {
      const isRepeated = (method?: string) =>
        decorators.some((each) => each.target === controller && each.method === method);
      const isLost = decorators.some(
        ({ target, method }) =>
          target === base && (method === undefined || routes.includes(method)) && !isRepeated(method),
      );
      if (isLost) throw refused(`${controller.name} extends ${base.name}, whose ${guard} is not inherited; ${ADVICE}`);
    }
  }
}

/** Only one of two `@SessionCheck` on the same target would take effect. */
function assertOneSessionCheck(controller: Controller): void {
  const checks = getMetadataArgsStorage().uses.filter(
    ({ target, middleware }) => target === controller && isSessionCheck(middleware),
  );
  for (const { method } of checks) {
    if (checks.filter((other) => other.method === method).length === 1) continue;
    throw refused(`@SessionCheck is used more than once on ${controller.name}${method ? `.${method}` : ''}`);
  }
}

/** `@SessionCheck` and `@LoadUser` look like guards, but without `@Authorized` an action accepts anonymous requests. */
function assertMarksAreGuarded(controller: Controller): void {
  const { actions, responseHandlers, uses } = getMetadataArgsStorage();
  const guards = responseHandlers.filter(({ target, type }) => target === controller && type === 'authorized');
  const marks = uses.filter(({ target }) => target === controller);
  for (const { method } of actions.filter(({ target }) => target === controller)) {
    const mark = marks
      .filter(appliesTo(method))
      .find(({ middleware }) => isSessionCheck(middleware) || isLoadUser(middleware));
    if (!mark || guards.some(appliesTo(method))) continue;
    const name = isLoadUser(mark.middleware) ? '@LoadUser' : '@SessionCheck';
    throw refused(
      `${controller.name}.${method} has ${name} without @Authorized, so anonymous requests are accepted; ` +
        'add @Authorized()',
    );
  }
}

/** Without `@LoadUser`, `@CurrentUser() user: User` would get a principal, which lacks the user's fields. */
function assertUsersAreLoaded(controller: Controller, userEntity: unknown): void {
  const { params, uses } = getMetadataArgsStorage();
  const loads = uses.filter(({ target, middleware }) => target === controller && isLoadUser(middleware));
  for (const { type, object, method, index } of params) {
    if (type !== 'current-user' || object.constructor !== controller || loads.some(appliesTo(method))) continue;
    const declared = Reflect.getMetadata('design:paramtypes', object, method)?.[index];
    if (!isUserEntity(declared, userEntity)) continue;
    throw refused(
      `${controller.name}.${method} declares @CurrentUser() as ${declared.name} without @LoadUser, but would get ` +
        'a Principal; add @LoadUser(), or declare a Principal',
    );
  }
}

function isUserEntity(declared: unknown, userEntity: unknown): declared is { readonly name: string } {
  if (typeof declared !== 'function') return false;
  return declared === userEntity || declared === BaseUser || declared.prototype instanceof BaseUser;
}

/** Makes a filter for the decorators that apply to a method: those on the method and those on its controller. */
function appliesTo(method: string): (decorator: { readonly method?: string }) => boolean {
  return (decorator) => decorator.method === undefined || decorator.method === method;
}

/**
 * Refuses the app's own checkers. TypeScript does not see them in an object that is spread. The library's checkers
 * would silently replace them, and the app's rules would not apply.
 *
 * @throws controller_refused
 */
export function assertNoOtherCheckers(options: object): void {
  for (const name of ['authorizationChecker', 'currentUserChecker'] as const) {
    if ((options as Record<string, unknown>)[name] === undefined) continue;
    throw refused(`${name} is set by the library; write your own rules as predicates: @Authorized(predicate)`);
  }
}

const ADVICE = 'decorate the controller itself, and share code through a service';

function assertRulesUnderstood(controller: Controller): void {
  const { responseHandlers } = getMetadataArgsStorage();
  const decorated = responseHandlers.filter(({ target, type }) => target === controller && type === 'authorized');
  for (const { method, value } of decorated) {
    const place = `@Authorized on ${controller.name}${method ? `.${method}` : ''}`;
    if (decorated.filter((other) => other.method === method).length > 1) {
      throw refused(`${place} is used more than once, and only one would apply; pass one array of rules`);
    }
    if (value === 0) throw refused(`${place} with role 0 would accept everyone; write @Authorized([0])`);
    if (!(value === undefined ? [] : [value].flat()).every(isAccessRule)) {
      throw refused(`${place} accepts only role numbers and predicates, and has something else`);
    }
  }
}

/** The error 500 for an app whose controllers cannot be served as they are. */
export function refused(detail: string): JwtAllauthError {
  return authError('controller_refused', { detail });
}
