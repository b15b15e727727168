import type { Database } from '../database/database.js';
import type { Table } from '../database/table.js';
import type { Settings } from '../settings/settings.js';
import type { Finding } from './finding.js';

/** The PHC form of argon2, which `PasswordHasher` can check; hashes of argon2i and argon2d are renewed at sign-in. */
const ARGON2 = String.raw`^\$argon2(id|i|d)\$(v=\d+\$)?m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{14,}$`;

/** Looks at what the rows of users say about passwords and confirmed addresses. No finding shows a value of a row. */
export class UserAccounts {
  constructor(
    private readonly database: Database,
    private readonly users: Table,
  ) {}

  /** Hashes that no password can match. */
  async hashes(): Promise<Finding> {
    const name = 'hashes';
    const hash = this.users.column('passwordHash');
    const count = await this.#count(`${hash} <> '' and ${hash}::text !~ '${ARGON2}'`);
    if (count === 0) return { name, status: 'ok', message: 'all password hashes are argon2' };
    const reason =
      `${usersOf(count)} a password hash of another kind than argon2, which matches no password unless ` +
      'legacyPasswords or a PasswordHasher of yours knows it';
    return { name, status: 'warning', message: `${reason}: else a password reset by mail helps` };
  }

  /** Under EMAIL_VERIFICATION `none` sign-up marks addresses that nobody has proved. */
  async verification({ emailVerification }: Settings): Promise<Finding> {
    const name = 'verification';
    if (emailVerification !== 'none') {
      return { name, status: 'ok', message: `sign-up under ${emailVerification} marks no address as confirmed` };
    }
    const verified = this.users.column('emailVerified');
    const count = await this.#count(verified);
    if (count === 0) return { name, status: 'ok', message: 'no address is marked as confirmed' };
    const found = `${usersOf(count)} an address that is marked as confirmed`;
    const reason = `${found}, but EMAIL_VERIFICATION none proves none of them`;
    const remedy = `update ${this.users.name} set ${verified} = false`;
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
