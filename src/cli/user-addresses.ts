import { createHash } from 'node:crypto';
import type { Database } from '../database/database.js';
import type { Table } from '../database/table.js';
import { normalizeEmail } from '../users/email.js';
import type { Finding } from './finding.js';

/** Rows that are looked at together, so that a table of any size fits into memory. */
const PAGE = 1000;

/** Users that a finding names. */
const EXAMPLES = 3;

/** Addresses of which it is certain that they are in normal form: the others are decided by `normalizeEmail`. */
const PLAIN = String.raw`^[!-?\[-~]+@([a-z0-9-]+\.)*[a-z]+$`;

/** What a look at all addresses came to. */
interface AddressCounts {
  readonly odd: Found;
  readonly doubles: Found;
}

/** How many users, and a few of them. */
class Found {
  count = 0;
  readonly #ids: string[] = [];

  add(id: unknown): void {
    this.count++;
    if (this.#ids.length < EXAMPLES) this.#ids.push(String(id));
  }

  toString(): string {
    const [noun, more] = [this.count === 1 ? 'user' : 'users', this.count > EXAMPLES ? ', …' : ''];
    return `${this.count} ${noun} (${this.#ids.join(', ')}${more})`;
  }
}

interface Row {
  readonly id: unknown;
  readonly email: string;
}

/**
 * Looks for addresses that are not stored in their normal form: no look-up finds them, and their mailbox can be
 * registered again. No finding shows an address.
 */
export class UserAddresses {
  readonly #sql: ReturnType<typeof statements>;

  constructor(
    private readonly database: Database,
    users: Table,
    /** Most rows that are read at a time. */
    private readonly page = PAGE,
  ) {
    this.#sql = statements(users, page);
  }

  async run(): Promise<Finding[]> {
    const { odd, doubles } = await this.#count();
    const mend = 'docs/existing-users.md has the SQL';
    return [
      odd.count === 0
        ? { name: 'addresses', status: 'ok', message: 'all addresses are in their normal form' }
        : {
            name: 'addresses',
            status: 'failed',
            message:
              `${odd} cannot sign in, because the address is not in its normal form ` +
              `(lower case, trimmed): ${mend}`,
          },
      doubles.count === 0
        ? { name: 'address-doubles', status: 'ok', message: 'no two users have the same address' }
        : {
            name: 'address-doubles',
            status: 'failed',
            message: `${doubles} have the address of another user in some spelling: decide who keeps it; ${mend}`,
          },
    ];
  }

  async #count(): Promise<AddressCounts> {
    const [odd, doubles] = [new Found(), new Found()];
    const isCaseless = (await this.database.query(this.#sql.caseless, [])).length > 0;
    const isOdd = (email: string) => normalizeEmail(email) !== (isCaseless ? email.toLowerCase() : email);
    for (const { id, email } of await this.database.query<Row>(this.#sql.repeated, [])) {
      if (!isOdd(email)) doubles.add(id); // the others are counted below
    }
    const seen = new Set<string>();
    let rows = await this.database.query<Row>(this.#sql.first, []);
    while (rows.length > 0) {
      const found = rows
        .filter(({ email }) => isOdd(email))
        .map(({ id, email }) => ({ id, normal: normalizeEmail(email) }));
      const taken = await this.#taken(found.map(({ normal }) => normal));
      for (const { id, normal } of found) {
        odd.add(id);
        const print = fingerprint(normal);
        if (taken.has(normal) || seen.has(print)) doubles.add(id);
        seen.add(print);
      }
      rows = rows.length < this.page ? [] : await this.database.query<Row>(this.#sql.next, [rows.at(-1)?.id]);
    }
    return { odd, doubles };
  }

  /** Those of some addresses in normal form that a user has. */
  async #taken(addresses: readonly string[]): Promise<Set<string>> {
    if (addresses.length === 0) return new Set();
    return new Set((await this.database.query<Row>(this.#sql.taken, [addresses])).map(({ email }) => email));
  }
}

/** Twelve bytes instead of an address, which may be long: there can be millions. */
function fingerprint(address: string): string {
  return createHash('sha256').update(address).digest().toString('latin1', 0, 12);
}

function statements(users: Table, page: number) {
  const [id, email] = [users.column('id'), users.column('email')];
  const odd = `select ${id} as id, ${email}::text as email from ${users.name}
    where ${email}::text collate "C" !~ '${PLAIN}' or ${email}::text collate "C" ~ 'xn--'`;
  const inPages = `order by ${id} limit ${page}`;
  return {
    first: `${odd} ${inPages}`,
    next: `select * from (${odd}) odd where odd.id > $1 order by odd.id limit ${page}`,
    taken: `select ${email}::text as email from ${users.name} where ${email} = any($1)`,
    repeated: `select id, email from (
        select ${id} as id, ${email}::text as email, row_number() over (partition by ${email} order by ${id}) as place
        from ${users.name} where ${email} is not null) numbered
      where place > 1`,
    caseless: `
      select 1 from pg_attribute join pg_type t on t.oid = atttypid left join pg_collation c on c.oid = attcollation
      where attrelid = to_regclass('${users.name.replaceAll("'", "''")}') and '"' || attname || '"' = '${email}'
        and (typname = 'citext' or collisdeterministic = false)`,
  };
}
