import { closestMatch } from 'leven';

/**
 * Which groups of endpoints an app has: all but those that are false. Modules name their groups (`AuthModule.routes`);
 * the endpoints of links that were mailed stay.
 */
export type RouteSwitches = Readonly<Record<string, boolean>>;

/** Names by the class of the controller. */
const names = new WeakMap<object, string>();

/** Makes a controller one that can be switched off by that name. */
export function nameRoutes(controller: object, name: string): void {
  names.set(controller, name);
}

/**
 * @param known the names of all groups
 * @throws TypeError for a name that no group of endpoints has, and for a value that is neither true nor false
 */
export function assertRouteSwitches(routes: RouteSwitches, known: readonly string[]): void {
  for (const [name, value] of Object.entries(routes)) {
    if (!known.includes(name)) {
      throw new TypeError(`routes: there is no "${name}"; the nearest name is ${closestMatch(name, known)}`);
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
