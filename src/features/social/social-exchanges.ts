import { createHash } from 'node:crypto';
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

/** What a client sends to fetch its session. */
export interface ExchangeProof {
  readonly code: string;
  /** The text whose S256 is the challenge with which the sign-in has begun. Undefined: it has begun without one. */
  readonly verifier?: string;
}

/**
 * Stores the codes with which clients fetch their sessions. Each can be used once, for a minute. A code can be bound to
 * the client that has begun the sign-in, as with PKCE (RFC 7636): then it needs a verifier. A code without a challenge
 * works without a verifier only, so that a client with a verifier never takes the code of another sign-in.
 */
export class SocialExchanges {
  readonly #sql: ReturnType<typeof statements>;

  constructor(private readonly kernel: Pick<AuthKernel, 'database' | 'orm' | 'clock'>) {
    this.#sql = statements(Table.named(kernel.orm, SOCIAL_EXCHANGE_ENTITY));
  }

  /**
   * Makes a code, in the transaction that admits the sign-in.
   *
   * @param challenge the S256 of the client's verifier, in base64url
   */
  async issue(
    { user, credentialEpoch, amr }: Omit<AdmittedSignIn, 'authTime'>,
    challenge: string | undefined,
    em: EntityManager,
  ): Promise<string> {
    const code = createRandomKey();
    const now = this.kernel.clock.now();
    const expiresAt = new Date(now + CODE_SECONDS * 1000);
    const parameters = [hashOfRandomKey(code), user, credentialEpoch, amr, new Date(now), expiresAt, challenge ?? null];
    await this.kernel.database.query(this.#sql.insert, parameters, em);
    return code;
  }

  /** Finds the sign-in of a code, without using it. */
  async find(proof: ExchangeProof): Promise<AdmittedSignIn | undefined> {
    return this.#read(this.#sql.find, proof);
  }

  /** Uses a code up. Of two parallel calls, one gets it. */
  async take(proof: ExchangeProof, em: EntityManager): Promise<AdmittedSignIn | undefined> {
    return this.#read(this.#sql.take, proof, em);
  }

  async #read(sql: string, { code, verifier }: ExchangeProof, em?: EntityManager): Promise<AdmittedSignIn | undefined> {
    if (!isRandomKey(code)) return undefined;
    const challenge = verifier === undefined ? null : s256(verifier);
    const parameters = [hashOfRandomKey(code), new Date(this.kernel.clock.now()), challenge];
    const [row] = await this.kernel.database.query<AdmittedSignIn>(sql, parameters, em);
    return row;
  }
}

/** The challenge of a verifier (RFC 7636 §4.2). */
function s256(verifier: string): string {
  return createHash('sha256').update(verifier).digest('base64url');
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
    challenge: exchange.column('challenge'),
  };
  const isValid = `${c.hash} = $1 and ${c.expiresAt} > $2 and ${c.challenge} is not distinct from $3`;
  const row = `${c.user} as "user", ${c.credentialEpoch} as "credentialEpoch", ${c.amr} as "amr",
      floor(extract(epoch from ${c.authTime}))::float8 as "authTime"`;
  return {
    insert: `
      insert into ${name} (${c.hash}, ${c.user}, ${c.credentialEpoch}, ${c.amr}, ${c.authTime}, ${c.expiresAt},
        ${c.challenge})
      values ($1, $2, $3, $4::text[], $5, $6, $7)`,
    find: `select ${row} from ${name} where ${isValid}`,
    take: `delete from ${name} where ${isValid} returning ${row}`,
  };
}
