/**
 * Checks the password hashes of the system that was there before, such as bcrypt or PBKDF2. It is asked only for hashes
 * that are not argon2id.
 *
 * @example
 * ```ts
 * const legacyPasswords: LegacyPasswords = {
 *   verify: (hash, password) => hash.startsWith('$2') && bcrypt.compare(password, hash),
 * };
 * ```
 */
export interface LegacyPasswords {
  /**
   * Whether a password belongs to a hash: false for a hash of an unknown form. What it throws counts as false and is
   * logged without hash and password, and so does no answer within ten seconds.
   *
   * @param password as it was sent, at most 1000 characters; not normalised
   */
  verify(hash: string, password: string): boolean | Promise<boolean>;
}
