import { setTimeout } from 'node:timers/promises';

/** The time limit for a condition. */
const LIMIT_MILLISECONDS = 30_000;

/** The first and the longest pause between two checks: a long wait leaves the processor to what it waits for. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [1, 16];

/** Waits until a condition is true. @throws Error if it is not true within the limit */
export async function until(condition: () => unknown, limitMilliseconds = LIMIT_MILLISECONDS): Promise<void> {
  const start = performance.now();
  for (let pause = FIRST_PAUSE; !(await condition()); pause = Math.min(pause * 1.25, LONGEST_PAUSE)) {
    if (performance.now() - start > limitMilliseconds)
      throw new Error(`this condition did not become true in time: ${condition}`);
    await setTimeout(pause);
  }
}
