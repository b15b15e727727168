import { expect, test } from 'vitest';

/** The rule that `theft-within-grace.test.ts` tests in the app: the third followed generation in a row ends the session. */
class Rule {
  #inARow = 0;

  /** Whether the session ends at a generation, by whether its parent came again from elsewhere. */
  ends(isFollowed: boolean): boolean {
    if (isFollowed && this.#inARow === 2) return true;
    this.#inARow = isFollowed ? this.#inARow + 1 : 0;
    return false;
  }
}

/** A client and the events at each of its rotations. Shares are between 0 and 1. */
interface Client {
  readonly name: string;
  /** Rotations a day with these events. */
  readonly rotations: number;
  /** How often the parent is used again within the grace: a retry after a lost answer, or another tab. */
  readonly repeated: number;
  /** How often that use comes from another network. */
  readonly moved: number;
  /** The allowed sign-outs of a thousand clients in a month. */
  readonly bound: number;
}

const CLIENTS: readonly Client[] = [
  { name: 'at a desk, three tabs without locks', rotations: 24, repeated: 1, moved: 0.0005, bound: 0 },
  { name: 'a laptop that changes networks, answers lost', rotations: 24, repeated: 0.02, moved: 0.5, bound: 2 },
  { name: 'a phone on a train, two hours a day', rotations: 4, repeated: 0.05, moved: 0.2, bound: 1 },
  { name: 'a phone on a train, one answer in five lost', rotations: 4, repeated: 0.2, moved: 0.2, bound: 15 },
  { name: 'a phone on a train, tokens of five minutes', rotations: 24, repeated: 0.05, moved: 0.2, bound: 2 },
  { name: 'two tabs without locks on a train', rotations: 4, repeated: 1, moved: 0.02, bound: 3 },
];

const DAYS = 30;
const SESSIONS = 100_000;

/** Uniform numbers from 0 to 1, the same in every run (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The number of a thousand such clients that are signed out as thieves in a month. */
function signedOut({ rotations, repeated, moved }: Client): number {
  const next = numbers(17);
  let ended = 0;
  for (let session = 0; session < SESSIONS; session++) {
    const rule = new Rule();
    for (let rotation = 0; rotation < rotations * DAYS; rotation++) {
      if (rule.ends(next() < repeated * moved)) {
        ended++;
        break;
      }
    }
  }
  return (ended / SESSIONS) * 1000;
}

test.each(CLIENTS)('$name: almost no owner is signed out', (client) => {
  const rate = signedOut(client);
  process.stdout.write(`signed out of 1000 in ${DAYS} days: ${rate.toFixed(2)} (${client.name})\n`);
  expect(rate).toBeLessThanOrEqual(client.bound);
});

test('a thief who follows from another network gets two successors, and not a third', () => {
  const rule = new Rule();
  const generations = Array.from({ length: 99 }, () => rule.ends(true));
  expect(generations.indexOf(true)).toBe(2);
});
