import type { EntityManager } from '@mikro-orm/postgresql';
import { Table } from '../../database/table.js';
import type { AuthKernel } from '../../kernel.js';
import type { Seal } from '../../secrets/seal.js';
import type { UserId } from '../../users/base-user.entity.js';
import { TOTP_ENTITY } from './totp.entity.js';

/** How long a secret waits for its confirmation. */
const PENDING_SECONDS = 3600;

/** The secret of a user, decrypted. */
export interface StoredTotp {
  /** In base32. */
  readonly secret: string;
  readonly isConfirmed: boolean;
  /** The encrypted secret as it is stored. */
  readonly stored: string;
  /** The encrypted secret as it should be stored: differs from `stored` if an older key has encrypted that. */
  readonly sealed: string;
}

/** How many users have a secret whose key encrypts, only decrypts, or is not set. */
export type SecretCounts = Readonly<Record<'encrypts' | 'decrypts' | 'unknown', number>>;

/**
 * Stores TOTP secrets and recovery codes. Secrets are encrypted with ENCRYPTION_KEYS, for their user: the encrypted
 * text is useless in another row. Each statement of a request has an equality condition on the user.
 */
export class TotpStore {
  readonly #sql: ReturnType<typeof statements>;
  readonly #seal: Seal;

  constructor(private readonly kernel: Pick<AuthKernel, 'database' | 'orm' | 'clock' | 'encryption'>) {
    this.#sql = statements(Table.named(kernel.orm, TOTP_ENTITY));
    this.#seal = kernel.encryption.sealFor('totp secret');
  }

  /** Stores a secret that is not confirmed yet, in place of an earlier one. False: the user has a confirmed one. */
  async keepPending(user: UserId, secret: string, em: EntityManager): Promise<boolean> {
    const expiresAt = new Date(this.kernel.clock.now() + PENDING_SECONDS * 1000);
    const parameters = [user, this.#seal.seal(secret, String(user)), expiresAt];
    return (await this.kernel.database.query(this.#sql.keepPending, parameters, em)).length > 0;
  }

  /** Finds the secret of a user: the confirmed one, or one that waits for its confirmation. @throws UnsealError */
  async find(user: UserId, em: EntityManager): Promise<StoredTotp | undefined> {
    const parameters = [user, new Date(this.kernel.clock.now())];
    const [row] = await this.kernel.database.query<{ secret: string; isConfirmed: boolean }>(
      this.#sql.find,
      parameters,
      em,
    );
    if (!row) return undefined;
    const secret = this.#seal.open(row.secret, String(user));
    // The first key encrypts it again when it is used, so that an older key can be removed.
    const sealed = this.#seal.isCurrent(row.secret) ? row.secret : this.#seal.seal(secret, String(user));
    return { secret, isConfirmed: row.isConfirmed, stored: row.secret, sealed };
  }

  /** The number of unused recovery codes. Undefined: the user has no confirmed secret. */
  async recoveryCodesLeft(user: UserId, em?: EntityManager): Promise<number | undefined> {
    const [row] = await this.kernel.database.query<{ left: number }>(this.#sql.left, [user], em);
    return row?.left;
  }

  /**
   * Confirms a secret with the time step of its first code, and stores the hashes of recovery codes. False: another
   * request has replaced the secret meanwhile.
   */
  async confirm(
    user: UserId,
    { stored, step, hashes }: StoredTotp & { readonly step: number; readonly hashes: readonly string[] },
    em: EntityManager,
  ): Promise<boolean> {
    const parameters = [user, step, hashes, stored, this.#now];
    return (await this.kernel.database.query(this.#sql.confirm, parameters, em)).length > 0;
  }

  /** Uses the code of a time step up. False: this code or a newer one was used before. */
  async useStep(
    user: UserId,
    { sealed, step }: StoredTotp & { readonly step: number },
    em: EntityManager,
  ): Promise<boolean> {
    return (await this.kernel.database.query(this.#sql.useStep, [user, step, sealed], em)).length > 0;
  }

  /** Uses a recovery code up. @returns how many are left; undefined if the user has no such code */
  async useRecoveryCode(
    user: UserId,
    { sealed, hash }: StoredTotp & { readonly hash: string },
    em: EntityManager,
  ): Promise<number | undefined> {
    const parameters = [user, hash, sealed];
    const [row] = await this.kernel.database.query<{ left: number }>(this.#sql.useRecoveryCode, parameters, em);
    return row?.left;
  }

  /** Replaces the recovery codes. */
  async replaceRecoveryCodes(user: UserId, hashes: readonly string[], em: EntityManager): Promise<void> {
    await this.kernel.database.query(this.#sql.replaceRecoveryCodes, [user, hashes, this.#now], em);
  }

  /** Deletes the recovery codes if they were made at a time or later. @returns whether there were any */
  async removeRecoveryCodes(user: UserId, since: Date, em: EntityManager): Promise<boolean> {
    return (await this.kernel.database.query(this.#sql.removeRecoveryCodes, [user, since], em)).length > 0;
  }

  /**
   * Deletes secret and recovery codes, unless the secret was confirmed before a time.
   *
   * @returns whether a confirmed secret was deleted
   */
  async remove(user: UserId, since: Date, em: EntityManager): Promise<boolean> {
    const [row] = await this.kernel.database.query<{ isConfirmed: boolean }>(this.#sql.remove, [user, since], em);
    return row?.isConfirmed ?? false;
  }

  /** How many users have a secret, by what its key can do here (`Seal.roleOf`). Reads the whole table. */
  async countByKey(): Promise<SecretCounts> {
    const rows = await this.kernel.database.query<{ id: string; count: number }>(this.#sql.countByKey, []);
    const counts = { encrypts: 0, decrypts: 0, unknown: 0 };
    for (const { id, count } of rows) counts[this.#seal.roleOf(id)] += count;
    return counts;
  }

  get #now(): Date {
    return new Date(this.kernel.clock.now());
  }
}

function statements(totp: Table) {
  const { name } = totp;
  const user = totp.column('user');
  const secret = totp.column('secret');
  const lastStep = totp.column('lastStep');
  const codes = totp.column('recoveryCodes');
  const expiresAt = totp.column('expiresAt');
  const confirmedAt = totp.column('confirmedAt');
  const codesAt = totp.column('recoveryCodesAt');
  const confirmed = `${user} = $1 and ${expiresAt} is null`;
  return {
    keepPending: `
      insert into ${name} as t (${user}, ${secret}, ${expiresAt}) values ($1, $2, $3)
      on conflict (${user}) do update set ${secret} = excluded.${secret}, ${expiresAt} = excluded.${expiresAt}
      where t.${expiresAt} is not null returning 1`,
    find: `
      select ${secret} as "secret", ${expiresAt} is null as "isConfirmed" from ${name}
      where ${user} = $1 and (${expiresAt} is null or ${expiresAt} > $2)`,
    left: `select cardinality(${codes}) as "left" from ${name} where ${confirmed}`,
    countByKey: `
      select split_part(${secret}, '.', 1) as id, count(*)::float8 as count from ${name}
      where ${expiresAt} is null group by 1`,
    confirm: `
      update ${name} set ${expiresAt} = null, ${lastStep} = $2, ${codes} = $3::text[], ${confirmedAt} = $5,
        ${codesAt} = $5
      where ${user} = $1 and ${secret} = $4 and ${expiresAt} is not null returning 1`,
    useStep: `
      update ${name} set ${lastStep} = $2, ${secret} = $3 where ${confirmed} and ${lastStep} < $2 returning 1`,
    useRecoveryCode: `
      update ${name} set ${codes} = array_remove(${codes}, $2::text), ${secret} = $3
      where ${confirmed} and $2::text = any(${codes}) returning cardinality(${codes}) as "left"`,
    replaceRecoveryCodes: `update ${name} set ${codes} = $2::text[], ${codesAt} = $3 where ${confirmed}`,
    removeRecoveryCodes: `
      update ${name} set ${codes} = '{}'
      where ${confirmed} and ${codesAt} >= $2 and ${codes} <> '{}' returning 1`,
    remove: `
      delete from ${name}
      where ${user} = $1 and (${expiresAt} is not null or coalesce(${confirmedAt}, to_timestamp(0)) >= $2)
      returning ${expiresAt} is null as "isConfirmed"`,
  };
}
