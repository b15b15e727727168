import type { LegacyPasswords } from './legacy-passwords.js';

/** Milliseconds for which the app's check may take: it holds one of the few places at which passwords are hashed. */
const TIMEOUT_MS = 10_000;

/**
 * What the app says of a password and an older hash. Anything but `true` is false.
 *
 * @throws what the app throws; TimeoutError when there is no answer after ten seconds
 */
export async function verifyLegacyHash(passwords: LegacyPasswords, hash: string, password: string): Promise<boolean> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new DOMException('no answer in time', 'TimeoutError')), TIMEOUT_MS);
  try {
    return (await Promise.race([passwords.verify(hash, password), late])) === true;
  } finally {
    clearTimeout(timer);
  }
}
