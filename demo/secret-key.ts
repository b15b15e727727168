import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * A secret of this demo, made at the first start and kept, so that a restart signs nobody out and loses no mail.
 *
 * @param name of its file
 * @param bytes that it has
 */
export async function secretKey(directory: string, name: string, bytes: number): Promise<string> {
  const file = join(directory, name);
  const whole = `${file}-${process.pid}`; // another demo that starts beside this one must not read half a secret
  await mkdir(directory, { recursive: true });
  await writeFile(whole, randomBytes(bytes).toString('base64url'), { mode: 0o600 });
  await link(whole, file).catch((error) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(whole);
  return readFile(file, 'utf8');
}
