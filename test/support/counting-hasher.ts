import { serviceUnavailable } from '../../src/error-table.js';
import { PasswordHasher } from '../../src/users/password-hasher.js';

/** The calls of a counting hasher, and whether it fails as if too many were waiting. */
export interface HasherCounts {
  checks: number;
  checksWithoutHash: number;
  isOverloaded: boolean;
}

/** A password hasher for `services` that counts its checks. */
export function countingHasher(): { CountingHasher: new () => PasswordHasher; counts: HasherCounts } {
  const counts: HasherCounts = { checks: 0, checksWithoutHash: 0, isOverloaded: false };
  class CountingHasher extends PasswordHasher {
    override async verify(passwordHash: string | null | undefined, password: string): Promise<boolean> {
      counts.checks++;
      if (!passwordHash) counts.checksWithoutHash++;
      if (counts.isOverloaded) throw serviceUnavailable();
      return super.verify(passwordHash, password);
    }
  }
  return { CountingHasher, counts };
}
