import { randomUUID } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { Table } from '../../database/table.js';
import type { AuthKernel } from '../../kernel.js';
import type { UserId } from '../../users/base-user.entity.js';
import { SOCIAL_ACCOUNT_ENTITY } from './social.entity.js';
import type { ProviderIdentity } from './social-identity.js';

/** An account of a provider as its user sees it. */
export interface SocialAccount {
  readonly id: string;
  /** The id of the provider in the app. */
  readonly provider: string;
  /** The address that the provider named last. */
  readonly email: string | null;
  readonly connectedAt: Date;
  readonly lastUsedAt: Date;
}

/** A row. Instants are milliseconds since the epoch. */
interface AccountRow extends Omit<SocialAccount, 'connectedAt' | 'lastUsedAt'> {
  readonly connectedAt: number;
  readonly lastUsedAt: number;
}

/** An account of a provider that signs in or is connected. */
export type SocialLink = Pick<ProviderIdentity, 'provider' | 'issuer' | 'sub' | 'email' | 'tokens'>;

/** Stores accounts of providers. Each statement has an equality condition on the user, or on issuer and account. */
export class SocialAccounts {
  readonly #sql: ReturnType<typeof statements>;

  constructor(private readonly kernel: Pick<AuthKernel, 'database' | 'orm' | 'clock'>) {
    this.#sql = statements(Table.named(kernel.orm, SOCIAL_ACCOUNT_ENTITY));
  }

  /** The user to whom an account is connected. */
  async ownerOf({ issuer, sub }: SocialLink, em?: EntityManager): Promise<UserId | undefined> {
    const [row] = await this.kernel.database.query<{ user: UserId }>(this.#sql.owner, [issuer, sub], em);
    return row?.user;
  }

  /** Connects an account to a user. False: it is connected already. */
  async insert(
    user: UserId,
    { provider, issuer, sub, email, tokens }: SocialLink,
    em: EntityManager,
  ): Promise<boolean> {
    const now = new Date(this.kernel.clock.now());
    const parameters = [randomUUID(), user, provider, issuer, sub, email ?? null, tokens ?? null, now];
    return (await this.kernel.database.query(this.#sql.insert, parameters, em)).length > 0;
  }

  /** Records that a user has signed in with an account. False: it is not connected to this user. */
  async touch(user: UserId, { issuer, sub, email, tokens }: SocialLink, em: EntityManager): Promise<boolean> {
    const parameters = [user, issuer, sub, email ?? null, tokens ?? null, new Date(this.kernel.clock.now())];
    return (await this.kernel.database.query(this.#sql.touch, parameters, em)).length > 0;
  }

  /** The accounts of a user, oldest first. */
  async list(user: UserId, em?: EntityManager): Promise<SocialAccount[]> {
    const rows = await this.kernel.database.query<AccountRow>(this.#sql.list, [user], em);
    return rows.map(({ connectedAt, lastUsedAt, ...row }) => ({
      ...row,
      connectedAt: new Date(connectedAt),
      lastUsedAt: new Date(lastUsedAt),
    }));
  }

  /** The encrypted tokens of a user's account, with what they are bound to. */
  async tokens(user: UserId, provider: string): Promise<Pick<SocialLink, 'issuer' | 'sub' | 'tokens'> | undefined> {
    const rows = await this.kernel.database.query<SocialLink>(this.#sql.tokens, [user, provider]);
    return rows[0];
  }

  /** Disconnects an account from a user. @returns its provider; undefined if the user has no such account */
  async remove(user: UserId, id: string, em: EntityManager): Promise<string | undefined> {
    const [row] = await this.kernel.database.query<{ provider: string }>(this.#sql.remove, [user, id], em);
    return row?.provider;
  }

  /** Disconnects the accounts that were connected to a user at a time or later. @returns their providers */
  async removeSince(user: UserId, since: Date, em: EntityManager): Promise<string[]> {
    const rows = await this.kernel.database.query<{ provider: string }>(this.#sql.removeSince, [user, since], em);
    return rows.map(({ provider }) => provider);
  }
}

const milliseconds = (column: string) => `(extract(epoch from ${column}) * 1000)::float8`;

function statements(account: Table) {
  const { name } = account;
  const c = {
    id: account.column('id'),
    user: account.column('user'),
    provider: account.column('provider'),
    issuer: account.column('issuer'),
    sub: account.column('sub'),
    email: account.column('email'),
    tokens: account.column('tokens'),
    connectedAt: account.column('connectedAt'),
    lastUsedAt: account.column('lastUsedAt'),
  };
  return {
    owner: `select ${c.user} as "user" from ${name} where ${c.issuer} = $1 and ${c.sub} = $2`,
    insert: `
      insert into ${name} (${c.id}, ${c.user}, ${c.provider}, ${c.issuer}, ${c.sub}, ${c.email}, ${c.tokens},
        ${c.connectedAt}, ${c.lastUsedAt})
      values ($1, $2, $3, $4, $5, $6, $7, $8, $8)
      on conflict (${c.issuer}, ${c.sub}) do nothing returning 1`,
    touch: `
      update ${name} set ${c.email} = coalesce($4, ${c.email}), ${c.tokens} = coalesce($5, ${c.tokens}),
        ${c.lastUsedAt} = $6
      where ${c.user} = $1 and ${c.issuer} = $2 and ${c.sub} = $3 returning 1`,
    list: `
      select ${c.id} as "id", ${c.provider} as "provider", ${c.email} as "email",
        ${milliseconds(c.connectedAt)} as "connectedAt", ${milliseconds(c.lastUsedAt)} as "lastUsedAt"
      from ${name} where ${c.user} = $1 order by ${c.connectedAt}, ${c.id}`,
    tokens: `
      select ${c.issuer} as "issuer", ${c.sub} as "sub", ${c.tokens} as "tokens"
      from ${name} where ${c.user} = $1 and ${c.provider} = $2 and ${c.tokens} is not null
      order by ${c.lastUsedAt} desc limit 1`,
    remove: `delete from ${name} where ${c.user} = $1 and ${c.id} = $2 returning ${c.provider} as "provider"`,
    removeSince: `
      delete from ${name} where ${c.user} = $1 and ${c.connectedAt} >= $2 returning ${c.provider} as "provider"`,
  };
}
