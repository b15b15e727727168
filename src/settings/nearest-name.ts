import { closestMatch } from 'leven';

/** Maximum number of edits (inserted, deleted or replaced characters) between an unknown name and a suggested one. */
const MAX_EDITS = 6;

/**
 * The end of an error message about an unknown name: it suggests the known name that needs the fewest edits. Empty if
 * every known name needs too many.
 *
 * @param nameOf converts a known name to the form in which the message shows it
 */
export function suggestionFor(name: string, known: readonly string[], nameOf = (each: string) => each): string {
  const nearest = closestMatch(name, known, { maxDistance: MAX_EDITS });
  return nearest === undefined ? '' : `; the nearest name is ${nameOf(nearest)}`;
}

/** Maximum number of edits of a name that is surely mistyped. */
const MAX_TYPOS = 2;

/** The error message about an unknown setting: it suggests the nearest one, and unless it is near, a missing module. */
export function unknownSetting(name: string, known: readonly string[], nameOf?: (each: string) => string): string {
  const isTypo = closestMatch(name, known, { maxDistance: MAX_TYPOS }) !== undefined;
  const hint = isTypo ? '' : '; if it belongs to a module, add the module to `modules`';
  return `is not a setting${suggestionFor(name, known, nameOf)}${hint}`;
}
