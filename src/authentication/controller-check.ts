import { getMetadataArgsStorage } from 'routing-controllers';
import { JwtAllauthError } from '../error.js';
import { authError } from '../error-table.js';
import { BaseUser } from '../users/base-user.entity.js';
import { isAccessRule } from './access-rule.js';
import { isLoadUser } from './load-user.decorator.js';
import { isSessionCheck } from './session-check.decorator.js';

/**
 * Refuses controllers that would not be as protected as they look: a subclass has neither the `@Authorized` nor the
 * `@UseBefore` of what it extends, and a rule that is neither a number nor a predicate protects nothing. It also
 * refuses an action that declares the user entity and would be given a principal.
 *
 * @param userEntity the app's user entity
 * @throws controller_refused with the class and what to do
 */
export function assertControllersAreSafe(controllers: readonly unknown[], userEntity: unknown): void {
  for (const controller of controllers) {
    if (typeof controller !== 'function')
      throw refused('controllers must be given as classes, so that they can be checked');
    assertNothingInherited(controller);
    assertRulesUnderstood(controller);
    assertOneSessionCheck(controller);
    assertMarksAreGuarded(controller);
    assertUsersAreLoaded(controller, userEntity);
  }
}

type Controller = object & { name?: string };

/** What routing-controllers takes from the very class only, and never from one that it extends. */
interface Decoration {
  readonly target: unknown;
  readonly method?: string;
}

function assertNothingInherited(controller: Controller): void {
  const { actions, responseHandlers, uses } = getMetadataArgsStorage();
  const routes = actions.filter(({ target }) => target === controller).map(({ method }) => method);
  const guards: Record<string, Decoration[]> = {
    '@Authorized': responseHandlers.filter(({ type }) => type === 'authorized') as Decoration[],
    '@SessionCheck': uses.filter(({ middleware }) => isSessionCheck(middleware)) as Decoration[],
    '@LoadUser': uses.filter(({ middleware }) => isLoadUser(middleware)) as Decoration[],
    '@UseBefore': uses as Decoration[],
  };
  for (let base = Object.getPrototypeOf(controller); base?.prototype; base = Object.getPrototypeOf(base)) {
    const inherited = actions.filter(({ target, method }) => target === base && !routes.includes(method));
    if (inherited.length > 0) {
      const methods = inherited.map(({ method }) => method).join(', ');
      throw refused(
        `${controller.name} extends ${base.name} and inherits ${methods}, which would lose @Authorized; ${ADVICE}`,
      );
    }
    for (const [guard, decorations] of Object.entries(guards)) {
      const isOwn = (method?: string) => decorations.some((own) => own.target === controller && own.method === method);
      const lost = decorations.some(
        ({ target, method }) => target === base && (method === undefined || routes.includes(method)) && !isOwn(method),
      );
      if (lost) throw refused(`${controller.name} extends ${base.name}, whose ${guard} it would lose; ${ADVICE}`);
    }
  }
}

/** Of two `@SessionCheck` on one place only one would count. */
function assertOneSessionCheck(controller: Controller): void {
  const checks = getMetadataArgsStorage().uses.filter(
    ({ target, middleware }) => target === controller && isSessionCheck(middleware),
  );
  for (const { method } of checks) {
    if (checks.filter((other) => other.method === method).length === 1) continue;
    throw refused(`@SessionCheck stands more than once on ${controller.name}${method ? `.${method}` : ''}`);
  }
}

/** `@SessionCheck` and `@LoadUser` do nothing on an action that lets in who sends no token. */
function assertMarksAreGuarded(controller: Controller): void {
  const { actions, responseHandlers, uses } = getMetadataArgsStorage();
  const guards = responseHandlers.filter(({ target, type }) => target === controller && type === 'authorized');
  const marks = uses.filter(({ target }) => target === controller);
  for (const { method } of actions.filter(({ target }) => target === controller)) {
    const mark = marks
      .filter(covers(method))
      .find(({ middleware }) => isSessionCheck(middleware) || isLoadUser(middleware));
    if (!mark || guards.some(covers(method))) continue;
    const name = isLoadUser(mark.middleware) ? '@LoadUser' : '@SessionCheck';
    throw refused(
      `${controller.name}.${method} has ${name} without @Authorized, which lets everybody in; add @Authorized()`,
    );
  }
}

/** `@CurrentUser() user: User` without `@LoadUser` would be given a principal, which has none of the user's fields. */
function assertUsersAreLoaded(controller: Controller, userEntity: unknown): void {
  const { params, uses } = getMetadataArgsStorage();
  const loads = uses.filter(({ target, middleware }) => target === controller && isLoadUser(middleware));
  for (const { type, object, method, index } of params) {
    if (type !== 'current-user' || object.constructor !== controller || loads.some(covers(method))) continue;
    const declared = Reflect.getMetadata('design:paramtypes', object, method)?.[index];
    if (!isUserEntity(declared, userEntity)) continue;
    throw refused(
      `${controller.name}.${method} declares @CurrentUser() as ${declared.name} without @LoadUser, and would get ` +
        'a Principal; add @LoadUser(), or declare a Principal',
    );
  }
}

function isUserEntity(declared: unknown, userEntity: unknown): declared is { readonly name: string } {
  if (typeof declared !== 'function') return false;
  return declared === userEntity || declared === BaseUser || declared.prototype instanceof BaseUser;
}

/** Tests whether a decoration holds for a method: it stands on the method, or on the whole controller. */
function covers(method: string): (decoration: { readonly method?: string }) => boolean {
  return (decoration) => decoration.method === undefined || decoration.method === method;
}

/**
 * Refuses checkers of the app's own, which an object that is spread brings past the compiler: ours would replace them
 * silently, and the app's rules would not be asked.
 *
 * @throws controller_refused
 */
export function assertNoOtherCheckers(options: object): void {
  for (const name of ['authorizationChecker', 'currentUserChecker'] as const) {
    if ((options as Record<string, unknown>)[name] === undefined) continue;
    throw refused(`${name} is this library's; write rules of your own as predicates: @Authorized(predicate)`);
  }
}

const ADVICE = 'decorate the controller itself, and share code through a service';

function assertRulesUnderstood(controller: Controller): void {
  const { responseHandlers } = getMetadataArgsStorage();
  const decorated = responseHandlers.filter(({ target, type }) => target === controller && type === 'authorized');
  for (const { method, value } of decorated) {
    const place = `@Authorized on ${controller.name}${method ? `.${method}` : ''}`;
    if (decorated.filter((other) => other.method === method).length > 1) {
      throw refused(`${place} stands there more than once, and only one would count; give one array of rules`);
    }
    if (value === 0) throw refused(`${place} names role 0 in a way that lets everybody in; write @Authorized([0])`);
    if (!(value === undefined ? [] : [value].flat()).every(isAccessRule)) {
      throw refused(`${place} takes role numbers and predicates; what it has is something else`);
    }
  }
}

/** 500: the app's controllers cannot be served as they are. */
export function refused(detail: string): JwtAllauthError {
  return authError('controller_refused', { detail });
}
