import { closestMatch } from 'leven';

/** Maximum number of characters in which an unknown name may differ from the known name that is suggested. */
const MAX_DIFFERENCES = 6;

/**
 * The end of an error message about an unknown name: the most similar known name. Empty if no name is similar.
 *
 * @param nameOf converts a known name to the form in which the message shows it
 */
export function suggestionFor(name: string, known: readonly string[], nameOf = (each: string) => each): string {
  const nearest = closestMatch(name, known, { maxDistance: MAX_DIFFERENCES });
  return nearest === undefined ? '' : `; the nearest name is ${nameOf(nearest)}`;
}
