import type { MatchExtended, ZxcvbnFactory } from '@zxcvbn-ts/core';

/** Minimum number of guesses for a password: the estimate for eight random characters. */
const MIN_GUESSES = 1e8;

/**
 * How many characters are estimated at once. The time grows faster than the length: 128 characters can block the event
 * loop for more than a second, 32 characters take a few milliseconds.
 */
const WINDOW_LENGTH = 32;

/** How many substitutions (`@` for `a`) the estimator tries. The default of 100 is ten times slower. */
const MAX_SUBSTITUTIONS = 5;

/** Up to this many digits and signs around a single word do not make it strong: `Summer2026!`. */
const MAX_DECORATION_LENGTH = 6;

let estimator: ZxcvbnFactory | undefined;

/**
 * The estimator. The first new password loads it, which takes a tenth of a second. A process that never gets a new
 * password needs 20 MB less.
 */
async function loadEstimator(): Promise<ZxcvbnFactory> {
  const [{ ZxcvbnFactory }, { adjacencyGraphs, dictionary }] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
  ]);
  // The list of words is in alphabetical order, so that a word's place says nothing. The name `diceware` makes the
  // estimator give all of them the same rank.
  const dictionaries = { passwords: dictionary['passwords-common'], diceware: dictionary['diceware-common'] };
  const limits = { maxLength: WINDOW_LENGTH, l33tMaxSubstitutions: MAX_SUBSTITUTIONS };
  estimator ??= new ZxcvbnFactory({ dictionary: dictionaries, graphs: adjacencyGraphs, ...limits });
  return estimator;
}

/**
 * Why a password is easy to guess, according to the estimator zxcvbn. Undefined if it is strong. The password must be
 * strong as a whole, and also after removing the words of the context.
 *
 * @param context words that an attacker may know, in lower case
 */
export async function weaknessOf(password: string, context: readonly string[]): Promise<string | undefined> {
  const lower = password.toLowerCase();
  const rest = withoutWords(lower, context);
  const loaded = await loadEstimator();
  if (rest !== lower && weaknessOfEnds(rest, context, loaded)) {
    return REASONS.context;
  }
  return weaknessOfEnds(password, context, loaded);
}

/** Estimates a long text by its first and its last characters: it is at least as strong as each of these parts. */
function weaknessOfEnds(text: string, context: readonly string[], loaded: ZxcvbnFactory): string | undefined {
  const characters = [...text];
  const weakness = weaknessOfWindow(characters.slice(0, WINDOW_LENGTH).join(''), context, loaded);
  if (!weakness || characters.length <= WINDOW_LENGTH) return weakness;
  return weaknessOfWindow(characters.slice(-WINDOW_LENGTH).join(''), context, loaded);
}

function weaknessOfWindow(text: string, context: readonly string[], loaded: ZxcvbnFactory): string | undefined {
  const { guesses, sequence } = loaded.check(text, [...context]);
  if (guesses >= MIN_GUESSES && !isDecoratedWord(sequence)) return undefined;
  const longest = sequence.toSorted((a, b) => b.token.length - a.token.length)[0];
  if (sequence.some(({ dictionaryName }) => dictionaryName === 'userInputs')) return REASONS.context;
  const isListed = sequence.length === 1 && longest?.pattern === 'dictionary';
  if (isListed && !longest['l33t'] && !longest['reversed'])
    return longest.dictionaryName === 'passwords' ? REASONS.password : REASONS.word;
  const pattern = sequence.some(isWord) ? 'dictionary' : (longest?.pattern ?? 'other');
  return REASONS[pattern in REASONS ? (pattern as keyof typeof REASONS) : 'other'];
}

/** Messages. From `repeat` on, the name is the pattern that the estimator found. */
const REASONS = {
  context: 'is easy to guess: it consists of your name, your address or the name of this site',
  password: 'is one of the most common passwords',
  word: 'is easy to guess: it is a common word',
  repeat: 'is easy to guess: it repeats itself',
  sequence: 'is easy to guess: it is a sequence',
  spatial: 'is easy to guess: it is a pattern of keys on the keyboard',
  date: 'is easy to guess: it is a date',
  dictionary: 'is easy to guess: it is a common word with a few digits or signs',
  other: 'is easy to guess',
} as const;

const isWord = ({ pattern }: MatchExtended) => pattern === 'dictionary';
const hasLetters = ({ token }: MatchExtended) => /\p{L}/u.test(token);

/** Whether a password consists of at most one known word and a few digits or signs. */
function isDecoratedWord(sequence: readonly MatchExtended[]): boolean {
  const words = sequence.filter((match) => isWord(match) || hasLetters(match));
  const decoration = sequence.filter((match) => !words.includes(match)).map(({ token }) => token);
  return words.length <= 1 && words.every(isWord) && [...decoration.join('')].length <= MAX_DECORATION_LENGTH;
}

/** Removes words from a text, the longest first. */
function withoutWords(text: string, words: readonly string[]): string {
  return words.toSorted((a, b) => b.length - a.length).reduce((rest, word) => rest.replaceAll(word, ''), text);
}
