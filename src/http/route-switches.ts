import { suggestionFor } from '../settings/nearest-name.js';

/**
 * The groups of endpoints of an app: all except those set to false. Modules name their groups (`AuthModule.routes`).
 * The endpoints of mailed links cannot be switched off.
 */
export type RouteSwitches = Readonly<Record<string, boolean>>;

/** Group names by controller class. */
const names = new WeakMap<object, string>();

/** Assigns a controller to a group that can be switched off. */
export function nameRoutes(controller: object, name: string): void {
  names.set(controller, name);
}

/**
 * Checks the names and the values.
 *
 * @param known the names of all groups
 * @throws TypeError for an unknown name, and for a value that is neither true nor false
 */
export function assertRouteSwitches(routes: RouteSwitches, known: readonly string[]): void {
  for (const [name, value] of Object.entries(routes)) {
    if (!known.includes(name)) {
      throw new TypeError(`routes: there is no "${name}"${suggestionFor(name, known)}`);
    }
    if (typeof value !== 'boolean') throw new TypeError(`routes: ${name} must be true or false`);
  }
}

/** The controllers whose group is not switched off. */
export function switchedOn<T extends object>(controllers: readonly T[], routes: RouteSwitches): T[] {
  return controllers.filter((controller) => {
    const name = names.get(controller);
    return name === undefined || routes[name] !== false;
  });
}
