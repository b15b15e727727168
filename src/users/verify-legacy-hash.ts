import type { LegacyPasswords } from './legacy-passwords.js';

/** Maximum time of the app's check, because it occupies one of the few places in the hash queue. */
const TIMEOUT_MS = 10_000;

/**
 * Whether the app accepts a password for a hash of an older system. Any result except `true` counts as false.
 *
 * @throws what the app throws; TimeoutError after ten seconds
 */
export async function verifyLegacyHash(passwords: LegacyPasswords, hash: string, password: string): Promise<boolean> {
  const { promise: timeout, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new DOMException('no result in time', 'TimeoutError')), TIMEOUT_MS);
  try {
    return (await Promise.race([passwords.verify(hash, password), timeout])) === true;
  } finally {
    clearTimeout(timer);
  }
}
