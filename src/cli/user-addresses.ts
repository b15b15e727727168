import { createHash } from 'node:crypto';
import type { Database } from '../database/database.js';
import type { Table } from '../database/table.js';
import { normalizeEmail } from '../users/email.js';
import type { Finding } from './finding.js';

/** Number of rows that are read together, so that a table of any size fits into memory. */
const PAGE_ROWS = 1000;

/** Maximum number of users that a finding names. */
const MAX_EXAMPLES = 3;

/** Matches addresses that are certainly normalised. `normalizeEmail` checks the others. */
const PLAIN = String.raw`^[!-?\[-~]+@([a-z0-9-]+\.)*[a-z]+$`;

/** The result of the check of all addresses. */
interface AddressCounts {
  readonly unnormalized: UserCount;
  readonly duplicates: UserCount;
}

/** A number of users, with a few of their ids. */
class UserCount {
  count = 0;
  readonly #ids: string[] = [];

  /** @param owner another user with the same address */
  add(id: unknown, owner?: unknown): void {
    this.count++;
    const example = owner === undefined ? String(id) : `${id} = ${owner}`;
    if (this.#ids.length < MAX_EXAMPLES) this.#ids.push(example);
  }

  get isOne(): boolean {
    return this.count === 1;
  }

  toString(): string {
    const [noun, more] = [this.isOne ? 'user' : 'users', this.count > MAX_EXAMPLES ? ', …' : ''];
    return `${this.count} ${noun} (${this.#ids.join(', ')}${more})`;
  }
}

interface Row {
  readonly id: unknown;
  readonly email: string;
}

interface RepeatedRow extends Row {
  /** The first user with the same address. */
  readonly owner: unknown;
}

/**
 * Finds addresses that are not stored in normalised form: no look-up finds them, and their mailbox could be registered
 * again. Also finds mailboxes of more than one user. No finding shows an address.
 */
export class UserAddresses {
  readonly #sql: ReturnType<typeof statements>;

  constructor(
    private readonly database: Database,
    users: Table,
    /** Maximum number of rows that are read at a time. */
    private readonly page = PAGE_ROWS,
  ) {
    this.#sql = statements(users, page);
  }

  async run(): Promise<Finding[]> {
    const { unnormalized, duplicates } = await this.#count();
    const remedy = 'the SQL for this is in docs/existing-users.md';
    return [
      unnormalized.count === 0
        ? { name: 'addresses', status: 'ok', message: 'all addresses are normalised' }
        : {
            name: 'addresses',
            status: 'failed',
            message:
              `${unnormalized} cannot sign in, because the address is not normalised ` +
              `(lower case, trimmed): ${remedy}`,
          },
      duplicates.count === 0
        ? { name: 'address-doubles', status: 'ok', message: 'no two users have the same address' }
        : {
            name: 'address-doubles',
            status: 'failed',
            message:
              `${duplicates} ${duplicates.isOne ? 'has' : 'have'} the same mailbox as another user: ` +
              'decide who keeps it; the SQL that lists them is in docs/existing-users.md',
          },
    ];
  }

  async #count(): Promise<AddressCounts> {
    const [unnormalized, duplicates] = [new UserCount(), new UserCount()];
    // In a column that ignores case, such as citext, a look-up finds addresses in upper case as well.
    const isCaseInsensitive = (await this.database.query(this.#sql.caseInsensitive, [])).length > 0;
    const isUnnormalized = (email: string) =>
      normalizeEmail(email) !== (isCaseInsensitive ? email.toLowerCase() : email);
    for (const { id, email, owner } of await this.database.query<RepeatedRow>(this.#sql.repeated, [])) {
      if (!isUnnormalized(email)) duplicates.add(id, owner); // addresses that are not normalised are counted below
    }
    const seen = new Map<string, unknown>();
    let rows = await this.database.query<Row>(this.#sql.first, []);
    while (rows.length > 0) {
      const found = rows
        .filter(({ email }) => isUnnormalized(email))
        .map(({ id, email }) => ({ id, normal: normalizeEmail(email) }));
      const taken = await this.#taken(found.map(({ normal }) => normal));
      for (const { id, normal } of found) {
        unnormalized.add(id);
        const hash = fingerprint(normal);
        const owner = taken.get(normal) ?? seen.get(hash);
        if (owner !== undefined) duplicates.add(id, owner);
        if (!seen.has(hash)) seen.set(hash, id);
      }
      rows = rows.length < this.page ? [] : await this.database.query<Row>(this.#sql.next, [rows.at(-1)?.id]);
    }
    return { unnormalized, duplicates };
  }

  /** The given normalised addresses that belong to a user, with the id of that user. */
  async #taken(addresses: readonly string[]): Promise<Map<string, unknown>> {
    if (addresses.length === 0) return new Map();
    const rows = await this.database.query<Row>(this.#sql.taken, [addresses]);
    return new Map(rows.map(({ id, email }) => [normalizeEmail(email), id])); // a column may ignore case
  }
}

/** A hash of twelve bytes that replaces an address in memory, because there can be millions of them. */
function fingerprint(address: string): string {
  return createHash('sha256').update(address).digest().toString('latin1', 0, 12);
}

function statements(users: Table, page: number) {
  const [id, email] = [users.column('id'), users.column('email')];
  const unnormalized = `select ${id} as id, ${email}::text as email from ${users.name}
    where ${email}::text collate "C" !~ '${PLAIN}' or ${email}::text collate "C" ~ 'xn--'`;
  const inPages = `order by ${id} limit ${page}`;
  return {
    first: `${unnormalized} ${inPages}`,
    next: `select * from (${unnormalized}) rest where rest.id > $1 order by rest.id limit ${page}`,
    taken: `select ${id} as id, ${email}::text as email from ${users.name} where ${email} = any($1)`,
    repeated: `select id, email, owner from (
        select ${id} as id, ${email}::text as email, row_number() over same as place,
          first_value(${id}) over same as owner
        from ${users.name} where ${email} is not null
        window same as (partition by ${email} order by ${id})) numbered
      where place > 1`,
    caseInsensitive: `
      select 1 from pg_attribute join pg_type t on t.oid = atttypid left join pg_collation c on c.oid = attcollation
      where attrelid = to_regclass('${users.name.replaceAll("'", "''")}') and '"' || attname || '"' = '${email}'
        and (typname = 'citext' or collisdeterministic = false)`,
  };
}
