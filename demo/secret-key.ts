import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The secret of this demo's tokens, made at the first start and kept, so that a restart signs nobody out. */
export async function secretKey(directory: string): Promise<string> {
  const file = join(directory, 'secret-key');
  await mkdir(directory, { recursive: true });
  await writeFile(file, randomBytes(48).toString('base64url'), { mode: 0o600, flag: 'wx' }).catch((error) => {
    if (error.code !== 'EEXIST') throw error;
  });
  return readFile(file, 'utf8');
}
