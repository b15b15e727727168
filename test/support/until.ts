import { setImmediate } from 'node:timers/promises';

/** Waits for what happens by itself, as long as the test may take. */
export async function until(isSo: () => unknown): Promise<void> {
  while (!(await isSo())) await setImmediate();
}
