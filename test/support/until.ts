import { setTimeout } from 'node:timers/promises';

/** The time limit for a condition. */
const LIMIT_MILLISECONDS = 30_000;
const POLL_MILLISECONDS = 1;

/** Waits until a condition is true. */
export async function until(condition: () => unknown): Promise<void> {
  const start = performance.now();
  while (!(await condition())) {
    if (performance.now() - start > LIMIT_MILLISECONDS)
      throw new Error(`this condition did not become true in time: ${condition}`);
    await setTimeout(POLL_MILLISECONDS);
  }
}
