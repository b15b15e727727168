import { closestMatch } from 'leven';

/** Typing errors in a name up to which a known name counts as meant. */
const MOST_TYPING_ERRORS = 6;

/** The end of a sentence about an unknown name: the known name that was probably meant, or nothing. */
export function hintAt(name: string, known: readonly string[], nameOf = (each: string) => each): string {
  const nearest = closestMatch(name, known, { maxDistance: MOST_TYPING_ERRORS });
  return nearest === undefined ? '' : `; the nearest name is ${nameOf(nearest)}`;
}
