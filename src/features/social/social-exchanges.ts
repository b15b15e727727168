import type { EntityManager } from '@mikro-orm/postgresql';
import { Table } from '../../database/table.js';
import type { AuthKernel } from '../../kernel.js';
import { createRandomKey, hashOfRandomKey, isRandomKey } from '../../secrets/random-key.js';
import type { UserId } from '../../users/base-user.entity.js';
import { SOCIAL_EXCHANGE_ENTITY } from './social.entity.js';

/** How long a code can be used. */
const CODE_SECONDS = 60;

/** A sign-in that was admitted, and whose session is not open yet. */
export interface AdmittedSignIn {
  readonly user: UserId;
  /** The credential epoch with which it was admitted. */
  readonly credentialEpoch: number;
  readonly amr: readonly string[];
  /** When the user authenticated, in seconds since the epoch. */
  readonly authTime: number;
}

/** Stores the codes with which clients fetch their sessions. Each can be used once, for a minute. */
export class SocialExchanges {
  readonly #sql: ReturnType<typeof statements>;

  constructor(private readonly kernel: Pick<AuthKernel, 'database' | 'orm' | 'clock'>) {
    this.#sql = statements(Table.named(kernel.orm, SOCIAL_EXCHANGE_ENTITY));
  }

  /** Makes a code, in the transaction that admits the sign-in. */
  async issue({ user, credentialEpoch, amr }: Omit<AdmittedSignIn, 'authTime'>, em: EntityManager): Promise<string> {
    const code = createRandomKey();
    const now = this.kernel.clock.now();
    const expiresAt = new Date(now + CODE_SECONDS * 1000);
    const parameters = [hashOfRandomKey(code), user, credentialEpoch, amr, new Date(now), expiresAt];
    await this.kernel.database.query(this.#sql.insert, parameters, em);
    return code;
  }

  /** Finds the sign-in of a code, without using it. */
  async find(code: string): Promise<AdmittedSignIn | undefined> {
    return this.#read(this.#sql.find, code);
  }

  /** Uses a code up. Of two parallel calls, one gets it. */
  async take(code: string, em: EntityManager): Promise<AdmittedSignIn | undefined> {
    return this.#read(this.#sql.take, code, em);
  }

  async #read(sql: string, code: string, em?: EntityManager): Promise<AdmittedSignIn | undefined> {
    if (!isRandomKey(code)) return undefined;
    const parameters = [hashOfRandomKey(code), new Date(this.kernel.clock.now())];
    const [row] = await this.kernel.database.query<AdmittedSignIn>(sql, parameters, em);
    return row;
  }
}

function statements(exchange: Table) {
  const { name } = exchange;
  const c = {
    hash: exchange.column('hash'),
    user: exchange.column('user'),
    credentialEpoch: exchange.column('credentialEpoch'),
    amr: exchange.column('amr'),
    authTime: exchange.column('authTime'),
    expiresAt: exchange.column('expiresAt'),
  };
  const row = `${c.user} as "user", ${c.credentialEpoch} as "credentialEpoch", ${c.amr} as "amr",
      floor(extract(epoch from ${c.authTime}))::float8 as "authTime"`;
  return {
    insert: `
      insert into ${name} (${c.hash}, ${c.user}, ${c.credentialEpoch}, ${c.amr}, ${c.authTime}, ${c.expiresAt})
      values ($1, $2, $3, $4::text[], $5, $6)`,
    find: `select ${row} from ${name} where ${c.hash} = $1 and ${c.expiresAt} > $2`,
    take: `delete from ${name} where ${c.hash} = $1 and ${c.expiresAt} > $2 returning ${row}`,
  };
}
