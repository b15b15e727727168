import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where one demo of several from one checkout keeps its data, and how many came before it. */
export interface Place {
  readonly directory: string;
  readonly index: number;
  /** Frees it for others. */
  leave(): Promise<void>;
}

/**
 * Takes the first place below `directory` that no living demo has: the directory itself, then `beside-1` and so on in
 * it.
 */
export async function takePlace(directory: string): Promise<Place> {
  for (let index = 0; ; index++) {
    const own = index === 0 ? directory : join(directory, `beside-${index}`);
    const lock = join(own, 'demo.pid');
    if (await take(own, lock)) return { directory: own, index, leave: () => rm(lock, { force: true }) };
  }
}

/** The lock appears with its content, so that nobody reads half of it. One that a killed demo left is taken over. */
async function take(directory: string, lock: string): Promise<boolean> {
  const whole = `${lock}-${randomUUID()}`;
  await mkdir(directory, { recursive: true });
  await writeFile(whole, String(process.pid));
  try {
    const holder = Number(await readFile(lock, 'utf8').catch(() => '0'));
    if (holder && !isRunning(holder)) await rm(lock, { force: true });
    await link(whole, lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    await rm(whole);
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
