import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import { createRandomKey, hashOfRandomKey as hashOf, isRandomKey } from '../secrets/random-key.js';
import type { UserId } from '../users/base-user.entity.js';
import { normalizeEmail } from '../users/email.js';
import type { UserService } from '../users/user.service.js';
import { ONE_TIME_KEY_ENTITY } from './one-time-key.entity.js';

/**
 * What a key is for:
 *
 * - `email-verification`: confirms an address;
 * - `registration`: the same, in rows of older versions;
 * - `email-verified`: changes nothing, because the confirmation link was opened before; shows the same page again;
 * - `email-change`: changes the user's address to the address that the key was mailed to;
 * - `password-reset`, `invitation`: sets a password;
 * - `invitation-used`: like `invitation`, in rows of older versions;
 * - `reauthentication`: proves the mailbox of a signed-in user, for one session;
 * - `email-undo-1` to `email-undo-3`: restores the user's former address.
 */
export type KeyPurpose =
  | 'registration'
  | 'email-verification'
  | 'email-verified'
  | 'email-change'
  | 'password-reset'
  | 'invitation'
  | 'invitation-used'
  | 'reauthentication'
  | 'email-undo-1'
  | 'email-undo-2'
  | 'email-undo-3';

/**
 * The purposes of keys that undo a change of the address. A user can have three, so that a thief who changes the
 * address again does not supersede the key that the owner got. `revokeAll` does not delete them.
 */
export const UNDO_PURPOSES = ['email-undo-1', 'email-undo-2', 'email-undo-3'] as const satisfies readonly KeyPurpose[];

/** What a stored key allows, and for whom. */
export interface OneTimeKey {
  readonly purpose: KeyPurpose;
  readonly user: UserId;
  /** The address to which it was mailed. */
  readonly email: string;
}

/** A key that undoes a change of the address. */
export interface UndoKey extends OneTimeKey {
  /** In milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Whether sign-ins of the user needed a second factor when the address was changed. */
  readonly hadSecondFactor: boolean;
}

/**
 * The keys of mailed links, and keys that are derived from mailed codes. A key has 256 bits, is stored as SHA-256, has
 * one purpose, and can be used once. A user has at most one key of each purpose; a new key supersedes the older one.
 * Keys of inactive users do not work. A key with another address than the user's works only for `email-change` and
 * `UNDO_PURPOSES`.
 */
export class OneTimeKeys {
  readonly #sql: ReturnType<typeof statements>;

  constructor(
    protected readonly kernel: {
      readonly database: Database;
      readonly orm: MikroORM;
      readonly users: UserService;
      readonly clock: Clock;
    },
  ) {
    const { orm, users } = kernel;
    this.#sql = statements(Table.named(orm, ONE_TIME_KEY_ENTITY), users.table);
  }

  /** Makes and stores a key. @param seconds lifetime of the key */
  async issue(purpose: KeyPurpose, user: UserId, email: string, seconds: number, em: EntityManager): Promise<string> {
    const key = createRandomKey();
    await this.remember(key, { purpose, user, email }, seconds, em);
    return key;
  }

  /** Stores a key. It replaces the user's older key of the same purpose. @param seconds lifetime of the key */
  async remember(
    key: string,
    { purpose, user, email, hadSecondFactor = true }: OneTimeKey & Partial<Pick<UndoKey, 'hadSecondFactor'>>,
    seconds: number,
    em: EntityManager,
  ): Promise<void> {
    const expiresAt = new Date(this.kernel.clock.now() + seconds * 1000);
    await this.kernel.database.query(
      this.#sql.store,
      [hashOf(key), purpose, user, normalizeEmail(email), expiresAt, hadSecondFactor],
      em,
    );
  }

  /** Finds a valid key that has one of the purposes. Does not use it up. */
  async find(key: string, purposes: readonly KeyPurpose[], em?: EntityManager): Promise<OneTimeKey | undefined> {
    if (!isRandomKey(key)) return undefined;
    const parameters = [hashOf(key), purposes, new Date(this.kernel.clock.now())];
    const [found] = await this.kernel.database.query<OneTimeKey>(this.#sql.find, parameters, em);
    return found;
  }

  /**
   * Uses a key up, in the transaction of `em`, which then holds a lock on the user's row. The key is deleted, so that
   * only one of two parallel requests gets it. Undefined: the key is not valid, or has another purpose.
   */
  async claim(key: string, purposes: readonly KeyPurpose[], em: EntityManager): Promise<OneTimeKey | undefined> {
    const owner = await this.#lockOwner(key, em);
    if (!owner) return undefined;
    const parameters = [owner.user, hashOf(key), purposes, new Date(this.kernel.clock.now()), owner.email];
    const [claimed] = await this.kernel.database.query<Omit<OneTimeKey, 'user'>>(this.#sql.use, parameters, em);
    return claimed && { ...claimed, user: owner.user };
  }

  /**
   * The first of `UNDO_PURPOSES` for which the user has no valid key. Undefined: all are in use. The caller must hold
   * the lock on the user's row.
   */
  async freeUndoPurpose(user: UserId, em: EntityManager): Promise<KeyPurpose | undefined> {
    const parameters = [user, UNDO_PURPOSES, new Date(this.kernel.clock.now())];
    const used = await this.kernel.database.query<{ purpose: string }>(this.#sql.usedPurposes, parameters, em);
    return UNDO_PURPOSES.find((each) => !used.some(({ purpose }) => purpose === each));
  }

  /** Like `claim`, for `UNDO_PURPOSES`. Also deletes the undo keys that were issued later. */
  async claimUndo(key: string, em: EntityManager): Promise<UndoKey | undefined> {
    const owner = await this.#lockOwner(key, em);
    const found = owner && (await this.find(key, UNDO_PURPOSES, em));
    if (!found) return undefined;
    const parameters = [found.user, UNDO_PURPOSES, hashOf(key)];
    const deleted = await this.kernel.database.query<UndoKey>(this.#sql.removeSince, parameters, em);
    const own = deleted.find(({ purpose }) => purpose === found.purpose);
    return own && { ...found, expiresAt: own.expiresAt, hadSecondFactor: own.hadSecondFactor };
  }

  /** Deletes all keys of a user, except those for `UNDO_PURPOSES`. */
  async revokeAll(user: UserId, em: EntityManager): Promise<void> {
    await this.kernel.database.query(this.#sql.revokeAll, [user, UNDO_PURPOSES], em);
  }

  /**
   * Locks the row of the user of a key first, so that a parallel deactivation, deletion or change of the address has
   * committed. Two statements: a distributed PostgreSQL locks no row that it finds by another table.
   *
   * @returns the user with the current address. Undefined: the user is not active, or there is no such key
   */
  async #lockOwner(key: string, em: EntityManager): Promise<Pick<OneTimeKey, 'user' | 'email'> | undefined> {
    if (!isRandomKey(key)) return undefined;
    const { database } = this.kernel;
    const [owner] = await database.query<Pick<OneTimeKey, 'user'>>(this.#sql.owner, [hashOf(key)], em);
    if (!owner) return undefined;
    return (await database.query<Pick<OneTimeKey, 'user' | 'email'>>(this.#sql.lockUser, [owner.user], em))[0];
  }
}

function statements(key: Table, user: Table) {
  const names = ['hash', 'purpose', 'user', 'email', 'expiresAt', 'hadSecondFactor'];
  const [hash, purpose, owner, email, expiresAt, hadFactor] = names.map((name) => key.column(name));
  const id = user.column('id');
  const isForOtherAddress = `k.${purpose} = 'email-change' or k.${purpose} like 'email-undo-%'`;
  return {
    store: `
      insert into ${key.name} (${hash}, ${purpose}, ${owner}, ${email}, ${expiresAt}, ${hadFactor})
      values ($1, $2, $3, $4, $5, $6)
      on conflict (${owner}, ${purpose}) do update set ${hash} = excluded.${hash}, ${email} = excluded.${email},
        ${expiresAt} = excluded.${expiresAt}, ${hadFactor} = excluded.${hadFactor}`,
    find: `
      select k.${purpose} as "purpose", u.${id} as "user", k.${email} as "email"
      from ${key.name} k join ${user.name} u on u.${id} = k.${owner}
      where k.${hash} = $1 and k.${purpose} = any($2::text[]) and k.${expiresAt} > $3 and u.${user.column('isActive')}
        and (${isForOtherAddress} or u.${user.column('email')} = k.${email})`,
    owner: `select ${owner} as "user" from ${key.name} where ${hash} = $1`,
    lockUser: `
      select ${id} as "user", ${user.column('email')} as "email" from ${user.name}
      where ${id} = $1 and ${user.column('isActive')} for no key update`,
    use: `
      delete from ${key.name} k
      where k.${owner} = $1 and k.${hash} = $2 and k.${purpose} = any($3::text[]) and k.${expiresAt} > $4
        and (${isForOtherAddress} or k.${email} = $5)
      returning k.${purpose} as "purpose", k.${email} as "email"`,
    usedPurposes: `
      select ${purpose} as "purpose" from ${key.name}
      where ${owner} = $1 and ${purpose} = any($2::text[]) and ${expiresAt} > $3`,
    removeSince: `
      delete from ${key.name} where ${owner} = $1 and ${purpose} = any($2::text[])
        and (${expiresAt}, ${purpose}) >=
          (select ${expiresAt}, ${purpose} from ${key.name} where ${owner} = $1 and ${hash} = $3)
      returning ${purpose} as "purpose",
        (extract(epoch from ${expiresAt} at time zone 'UTC') * 1000)::float8 as "expiresAt",
        ${hadFactor} as "hadSecondFactor"`,
    revokeAll: `delete from ${key.name} where ${owner} = $1 and ${purpose} <> all($2::text[])`,
  };
}
