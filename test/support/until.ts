import { setTimeout } from 'node:timers/promises';

/** How long a condition may take to come true. */
const LIMIT_MILLISECONDS = 30_000;
const POLL_MILLISECONDS = 1;

/** Waits for what happens by itself. */
export async function until(isSo: () => unknown): Promise<void> {
  const start = performance.now();
  while (!(await isSo())) {
    if (performance.now() - start > LIMIT_MILLISECONDS) throw new Error(`this never came true: ${isSo}`);
    await setTimeout(POLL_MILLISECONDS);
  }
}
