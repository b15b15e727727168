import type { HashWork } from '../../src/users/hash-queue.js';

/** Milliseconds that a hash takes. */
const HASH = 20;

/** About the milliseconds after an answer until a bot sends its next request. */
const PAUSE = 400;

/** Milliseconds between two owners. */
const OWNERS_APART = 500;

/** Does some work for a network when its turn comes. */
export type Admit = (work: () => Promise<void>, whose: HashWork) => Promise<void>;

class Outcomes {
  asked = 0;
  served = 0;
  longestWait = 0;
  readonly refusals: number[] = [];

  get refused(): number {
    return this.refusals.length;
  }

  /** How many were refused after a time in milliseconds. */
  refusedAfter(time: number): number {
    return this.refusals.filter((each) => each > time).length;
  }
}

/** Simulates a flood of bots that repeat their requests, and owners who sign in twice a second in the meantime. */
export async function flood(admit: Admit, bots: readonly HashWork[], seconds: number) {
  const result = { owners: new Outcomes(), bots: new Outcomes() };
  const due = new Map<number, (() => void)[]>();
  let now = 0;
  const at = (time: number, what: () => void) => {
    const others = due.get(time);
    if (others) others.push(what);
    else due.set(time, [what]);
  };
  let random = 1;
  const about = (milliseconds: number) => {
    random = (random * 16_807) % 2_147_483_647; // Park and Miller: each run is the same
    return Math.round(milliseconds * (0.5 + random / 2_147_483_647));
  };
  const work = () => new Promise<void>((resolve) => at(now + HASH, resolve));
  const ask = (whose: HashWork, outcomes: Outcomes, then: () => void) => {
    const began = now;
    outcomes.asked++;
    const served = () => {
      outcomes.served++;
      outcomes.longestWait = Math.max(outcomes.longestWait, now - began - HASH);
      then();
    };
    const refused = () => {
      outcomes.refusals.push(now);
      then();
    };
    admit(work, whose).then(served, refused);
  };
  for (const whose of bots) {
    const again = () => ask(whose, result.bots, () => at(now + about(PAUSE), again));
    at(about(PAUSE), again);
  }
  const owners = (seconds * 1000) / OWNERS_APART;
  for (let owner = 0; owner < owners; owner++) {
    at(owner * OWNERS_APART + about(100), () => ask({ network: `owner ${owner}` }, result.owners, () => {}));
  }
  for (; result.owners.served + result.owners.refused < owners; now++) {
    for (const what of due.get(now) ?? []) {
      what();
      await settled();
    }
    due.delete(now);
  }
  return result;
}

/** Runs everything that follows at once. */
async function settled(): Promise<void> {
  for (let tick = 0; tick < 8; tick++) await Promise.resolve();
}
