import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * A secret of this demo, created at the first start and stored, so that a restart keeps sessions and mails usable.
 *
 * @param name the name of its file
 * @param bytes its length in bytes
 */
export async function secretKey(directory: string, name: string, bytes: number): Promise<string> {
  const file = join(directory, name);
  const newFile = `${file}-${process.pid}`; // another demo that starts at the same time must not read half a secret
  await mkdir(directory, { recursive: true });
  await writeFile(newFile, randomBytes(bytes).toString('base64url'), { mode: 0o600 });
  await link(newFile, file).catch((error) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(newFile);
  return readFile(file, 'utf8');
}
