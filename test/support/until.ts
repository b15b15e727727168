import { setImmediate } from 'node:timers/promises';

/** Milliseconds after which what should happen by itself is not waited for any longer. */
const PATIENCE = 30_000;

/** Waits for what happens by itself. */
export async function until(isSo: () => unknown): Promise<void> {
  const start = performance.now();
  while (!(await isSo())) {
    if (performance.now() - start > PATIENCE) throw new Error(`this never came true: ${isSo}`);
    await setImmediate();
  }
}
