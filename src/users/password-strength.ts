import { type MatchExtended, ZxcvbnFactory } from '@zxcvbn-ts/core';
import { adjacencyGraphs, dictionary } from '@zxcvbn-ts/language-common';

/** Guesses that a password must withstand: as many as the estimator counts for eight random characters. */
const MIN_GUESSES = 1e8;

/**
 * Characters that are estimated at once. The time grows faster than the length: 128 characters can take more than a
 * second of the event loop, 32 take some milliseconds.
 */
const WINDOW_LENGTH = 32;

/** Look-alikes (`@` for `a`) that are tried in one password; the default of 100 makes it ten times slower. */
const MAX_SUBSTITUTIONS = 5;

/** Digits and signs around one word that add too little to it: `Summer2026!`. */
const MAX_DECORATION_LENGTH = 6;

let estimator: ZxcvbnFactory | undefined;

/** Loads the dictionaries, which takes about a tenth of a second, so that no request waits for it. */
export function prepareStrengthEstimate(): ZxcvbnFactory {
  // Under the name `diceware` the estimator counts each word of that list alike, and not by its place in the alphabet.
  const dictionaries = { passwords: dictionary['passwords-common'], diceware: dictionary['diceware-common'] };
  const limits = { maxLength: WINDOW_LENGTH, l33tMaxSubstitutions: MAX_SUBSTITUTIONS };
  estimator ??= new ZxcvbnFactory({ dictionary: dictionaries, graphs: adjacencyGraphs, ...limits });
  return estimator;
}

/**
 * Why a password is easily guessed, by the estimator zxcvbn; undefined when it is not. It must be hard to guess as a
 * whole, and without the words that a guesser knows.
 *
 * @param context such words, in lower case
 */
export function weaknessOf(password: string, context: readonly string[]): string | undefined {
  const lower = password.toLowerCase();
  const rest = withoutWords(lower, context);
  if (rest !== lower && weaknessOfEnds(rest, context)) {
    return REASONS.context;
  }
  return weaknessOfEnds(password, context);
}

/** A long text is judged by its first and its last characters: who guesses the whole has to guess these as well. */
function weaknessOfEnds(text: string, context: readonly string[]): string | undefined {
  const characters = [...text];
  const weakness = weaknessOfWindow(characters.slice(0, WINDOW_LENGTH).join(''), context);
  if (!weakness || characters.length <= WINDOW_LENGTH) return weakness;
  return weaknessOfWindow(characters.slice(-WINDOW_LENGTH).join(''), context);
}

function weaknessOfWindow(text: string, context: readonly string[]): string | undefined {
  const { guesses, sequence } = prepareStrengthEstimate().check(text, [...context]);
  if (guesses >= MIN_GUESSES && !isDecoratedWord(sequence)) return undefined;
  const longest = sequence.toSorted((a, b) => b.token.length - a.token.length)[0];
  if (sequence.some(({ dictionaryName }) => dictionaryName === 'userInputs')) return REASONS.context;
  const only = sequence.length === 1 && longest?.pattern === 'dictionary' && !longest['l33t'] && !longest['reversed'];
  if (only) return 'is one of the most common passwords';
  const pattern = sequence.some(isWord) ? 'dictionary' : (longest?.pattern ?? 'other');
  return REASONS[pattern in REASONS ? (pattern as keyof typeof REASONS) : 'other'];
}

/** What makes a password easy to guess, by the pattern that the estimator found. */
const REASONS = {
  context: 'is easy to guess: it is made of your name, your address or the name of this site',
  repeat: 'is easy to guess: it repeats itself',
  sequence: 'is easy to guess: it is a sequence',
  spatial: 'is easy to guess: its keys are neighbours on the keyboard',
  date: 'is easy to guess: it is a date',
  dictionary: 'is easy to guess: it is a common word with a few digits or signs',
  other: 'is easy to guess',
} as const;

const isWord = ({ pattern }: MatchExtended) => pattern === 'dictionary';
const hasLetters = ({ token }: MatchExtended) => /\p{L}/u.test(token);

/** Whether the letters are one known word, and all the rest are a few digits and signs. */
function isDecoratedWord(sequence: readonly MatchExtended[]): boolean {
  const words = sequence.filter((match) => isWord(match) || hasLetters(match));
  const decoration = sequence.filter((match) => !words.includes(match)).map(({ token }) => token);
  return words.length <= 1 && words.every(isWord) && [...decoration.join('')].length <= MAX_DECORATION_LENGTH;
}

/** A text without some words, the longest first. */
function withoutWords(text: string, words: readonly string[]): string {
  return words.toSorted((a, b) => b.length - a.length).reduce((rest, word) => rest.replaceAll(word, ''), text);
}
