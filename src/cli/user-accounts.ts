import type { Database } from '../database/database.js';
import type { Table } from '../database/table.js';
import type { Settings } from '../settings/settings.js';
import type { Finding } from './finding.js';

/**
 * The PHC format of argon2, which `PasswordHasher` can verify; hashes of argon2i and argon2d are renewed at sign-in.
 */
const ARGON2 = String.raw`^\$argon2(id|i|d)\$(v=\d+\$)?m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{14,}$`;

/** Checks the password hashes and the confirmed addresses of users. No finding shows a value of a row. */
export class UserAccounts {
  constructor(
    private readonly database: Database,
    private readonly users: Table,
  ) {}

  /** Counts hashes that are not argon2. They match no password, unless the app has set something that supports them. */
  async hashes(): Promise<Finding> {
    const name = 'hashes';
    const hash = this.users.column('passwordHash');
    const count = await this.#count(`${hash} <> '' and ${hash}::text !~ '${ARGON2}'`);
    if (count === 0) return { name, status: 'ok', message: 'all password hashes are argon2' };
    const reason =
      `${usersOf(count)} a password hash that is not argon2 and matches no password, unless ` +
      'legacyPasswords or your PasswordHasher supports it';
    return { name, status: 'warning', message: `${reason}; otherwise these users need a password reset by mail` };
  }

  /** With EMAIL_VERIFICATION=none, sign-up marks addresses as confirmed although they were not verified. */
  async verification({ emailVerification }: Settings): Promise<Finding> {
    const name = 'verification';
    if (emailVerification !== 'none') {
      return {
        name,
        status: 'ok',
        message: `with JWT_ALLAUTH_EMAIL_VERIFICATION=${emailVerification}, sign-up marks no address as confirmed`,
      };
    }
    const verified = this.users.column('emailVerified');
    const count = await this.#count(verified);
    if (count === 0) return { name, status: 'ok', message: 'no address is marked as confirmed' };
    const found = `${usersOf(count)} an address that is marked as confirmed`;
    const reason = `${found}, but JWT_ALLAUTH_EMAIL_VERIFICATION=none verifies no address`;
    const remedy = `for users whose address was never verified, update ${this.users.name} set ${verified} = false`;
    return { name, status: 'warning', message: `${reason}: before you choose another mode, ${remedy}` };
  }

  async #count(condition: string): Promise<number> {
    const sql = `select count(*)::float8 as count from ${this.users.name} where ${condition}`;
    const [row] = await this.database.query<{ count: number }>(sql, []);
    return row?.count ?? 0;
  }
}

function usersOf(count: number): string {
  return count === 1 ? '1 user has' : `${count} users have`;
}
