import { closestMatch } from 'leven';

/** The groups of endpoints that an app can switch off. Those of links that were mailed stay. */
export const ROUTE_NAMES = [
  'registration',
  'login',
  'logout',
  'sessions',
  'profile',
  'passwordChange',
  'accountDeletion',
  'emailChange',
  'passwordReset',
  'jwks',
] as const;

/** The name of a group of endpoints. */
export type RouteName = (typeof ROUTE_NAMES)[number];

/** Which groups of endpoints an app has: all but those that are false. */
export type RouteSwitches = Readonly<Partial<Record<RouteName, boolean>>>;

/** Names by the class of the controller. */
const names = new WeakMap<object, RouteName>();

/** Makes a controller one that can be switched off by that name. */
export function nameRoutes(controller: object, name: RouteName): void {
  names.set(controller, name);
}

/** @throws TypeError for a name that no group of endpoints has, and for a value that is neither true nor false */
export function assertRouteSwitches(routes: RouteSwitches): void {
  for (const [name, value] of Object.entries(routes)) {
    if (!ROUTE_NAMES.some((known) => known === name)) {
      throw new TypeError(`routes: there is no "${name}"; the nearest name is ${closestMatch(name, ROUTE_NAMES)}`);
    }
    if (typeof value !== 'boolean') throw new TypeError(`routes: ${name} must be true or false`);
  }
}

/** The controllers that are not switched off. */
export function switchedOn<T extends object>(controllers: readonly T[], routes: RouteSwitches): T[] {
  return controllers.filter((controller) => {
    const name = names.get(controller);
    return name === undefined || routes[name] !== false;
  });
}
