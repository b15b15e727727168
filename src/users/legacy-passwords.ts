/**
 * Verifies the password hashes of an older system, such as bcrypt or PBKDF2. It is called only for hashes that are not
 * argon2id. The library itself accepts argon2i and argon2d as well, so false cannot refuse those.
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
   * Whether a password belongs to a hash. Return false for a hash of an unknown form. An error, or no result within ten
   * seconds, counts as false and is logged without hash and password.
   *
   * @param password as the client sent it, not normalised; at most 1000 characters
   */
  verify(hash: string, password: string): boolean | Promise<boolean>;
}
