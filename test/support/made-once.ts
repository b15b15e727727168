import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inject } from 'vitest';
import { until } from './until.js';

/** The time limit of the process that makes the content, with a busy machine in mind. */
const LIMIT_MILLISECONDS = 150_000;

/**
 * Fills a folder with content that is the same in all processes of a run: the first process makes it, the others copy
 * it.
 *
 * @param target the folder; `make` creates it
 * @param key what the content depends on, as a name for files
 * @throws Error the error of `make`, in every process
 */
export async function makeOnce(target: string, key: string, make: () => Promise<unknown>): Promise<void> {
  const shared = join(inject('sharedFolder'), key);
  const [begun, unfinished, failure] = [`${shared}-begun`, `${shared}-unfinished`, `${shared}-failure`];
  const isFirst = await mkdir(begun).then(
    () => true,
    () => false,
  );
  if (!isFirst) {
    await until(() => existsSync(shared) || existsSync(failure), LIMIT_MILLISECONDS);
    if (existsSync(failure)) throw new Error(await readFile(failure, 'utf8'));
    return cp(shared, target, { recursive: true });
  }
  try {
    await make();
    await cp(target, unfinished, { recursive: true });
    await rename(unfinished, shared); // complete from its first moment
  } catch (error) {
    await writeFile(failure, String(error));
    throw error;
  }
}
