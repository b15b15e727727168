/**
 * Maximum length of a password that is normalised, in UTF-16 code units. Normalisation takes quadratic time for a run
 * of combining marks: 100 kB would block the event loop for seconds.
 */
export const LONGEST_PASSWORD = 1000;

/** Normalises a password before it is checked or hashed, because keyboards differ (NFKC, NIST SP 800-63B §5.1.1.2). */
export function normalizePassword(password: string): string {
  return password.normalize('NFKC');
}
