/**
 * UTF-16 units of the longest password that is looked at. The time that normalisation takes grows with the square of a
 * run of combining marks: at 100 kB one request would hold the event loop for seconds.
 */
export const LONGEST_PASSWORD = 1000;

/**
 * The one form of a password that is judged and hashed: the same from every keyboard (NFKC, NIST SP 800-63B §5.1.1.2).
 */
export function normalizePassword(password: string): string {
  return password.normalize('NFKC');
}
