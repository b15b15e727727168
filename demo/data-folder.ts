import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The data folder of one demo; several can run from one checkout. */
export interface DataFolder {
  readonly directory: string;
  readonly index: number;
  /** Releases the folder for other demos. */
  release(): Promise<void>;
}

/** Claims the first free data folder: `directory` itself, then `beside-1` and so on inside it. */
export async function claimDataFolder(directory: string): Promise<DataFolder> {
  for (let index = 0; ; index++) {
    const own = index === 0 ? directory : join(directory, `beside-${index}`);
    const lock = join(own, 'demo.pid');
    if (await claim(own, lock)) return { directory: own, index, release: () => rm(lock, { force: true }) };
  }
}

/**
 * The lock file is created with its content, so that a reader never sees half of it. A lock that a killed demo left
 * behind is replaced.
 */
async function claim(directory: string, lock: string): Promise<boolean> {
  const newLock = `${lock}-${randomUUID()}`;
  await mkdir(directory, { recursive: true });
  await writeFile(newLock, String(process.pid));
  try {
    const holder = Number(await readFile(lock, 'utf8').catch(() => '0'));
    if (holder && !isRunning(holder)) await rm(lock, { force: true });
    await link(newLock, lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    await rm(newLock);
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
