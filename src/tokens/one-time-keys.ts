import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import { createMailedKey, hashOfMailedKey as hashOf, isMailedKey } from '../secrets/mailed-key.js';
import type { UserId } from '../users/base-user.entity.js';
import { normalizeEmail } from '../users/email.js';
import type { UserService } from '../users/user.service.js';
import { ONE_TIME_KEY_ENTITY } from './one-time-key.entity.js';

/**
 * What a key allows:
 *
 * - `email-verification`: to confirm an address;
 * - `registration`: the same, issued by older versions only;
 * - `email-verified`: nothing more; it was one of these, and its link was opened;
 * - `email-change`: to make the address to which it was mailed the user's;
 * - `password-reset`, `invitation`: to set a password;
 * - `invitation-used`: the same as `invitation`, written by older versions only.
 */
export type KeyPurpose =
  | 'registration'
  | 'email-verification'
  | 'email-verified'
  | 'email-change'
  | 'password-reset'
  | 'invitation'
  | 'invitation-used'
  | 'email-undo-1'
  | 'email-undo-2'
  | 'email-undo-3';

/**
 * To take a changed address back. A user can have several, so that a further change supersedes none: that of the first
 * change leads to the owner. They outlive `revokeAll`.
 */
export const UNDO_PURPOSES = ['email-undo-1', 'email-undo-2', 'email-undo-3'] as const satisfies readonly KeyPurpose[];

/** A key that was found. */
export interface OneTimeKey {
  readonly purpose: KeyPurpose;
  readonly user: UserId;
  /** The address to which it was mailed. */
  readonly email: string;
}

/**
 * The keys of mailed links. Each has 256 random bits, is stored as its SHA-256, has one purpose, and can be used once.
 * A user has one of each purpose: a newer one supersedes it. None works for a user who is not active. When the
 * user gets another address, only `email-change` and `UNDO_PURPOSES` go on working.
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

  /** Makes a key that is good for so many seconds. */
  async issue(purpose: KeyPurpose, user: UserId, email: string, seconds: number, em: EntityManager): Promise<string> {
    const key = createMailedKey();
    await this.remember(key, { purpose, user, email }, seconds, em);
    return key;
  }

  /** Stores a key under a purpose, in place of the one that the user had for it. */
  async remember(key: string, { purpose, user, email }: OneTimeKey, seconds: number, em: EntityManager): Promise<void> {
    const expiresAt = new Date(this.kernel.clock.now() + seconds * 1000);
    await this.kernel.database.query(
      this.#sql.store,
      [hashOf(key), purpose, user, normalizeEmail(email), expiresAt],
      em,
    );
  }

  /** Looks whether a key is good for one of some purposes, without using it. */
  async find(key: string, purposes: readonly KeyPurpose[], em?: EntityManager): Promise<OneTimeKey | undefined> {
    if (!isMailedKey(key)) return undefined;
    const parameters = [hashOf(key), purposes, new Date(this.kernel.clock.now())];
    const [found] = await this.kernel.database.query<OneTimeKey>(this.#sql.find, parameters, em);
    return found;
  }

  /**
   * Uses a key up, in the transaction of `em`, which from then on holds the user's row: that the key was deleted is the
   * claim, and of two at the same moment one gets it. Undefined: it is good for none of the purposes.
   */
  async claim(key: string, purposes: readonly KeyPurpose[], em: EntityManager): Promise<OneTimeKey | undefined> {
    if (!isMailedKey(key)) return undefined;
    // The user first, as everywhere: what deactivates, deletes or renames the user beside this is over before we look.
    await this.kernel.database.query(this.#sql.lockUser, [hashOf(key)], em);
    const found = await this.find(key, purposes, em);
    if (!found) return undefined;
    const deleted = await this.kernel.database.query(this.#sql.remove, [hashOf(key), found.purpose], em);
    return deleted.length > 0 ? found : undefined;
  }

  /**
   * A purpose of `UNDO_PURPOSES` that no good key of the user has, under the lock of the user's row; undefined: all
   * have.
   */
  async freeUndoPurpose(user: UserId, em: EntityManager): Promise<KeyPurpose | undefined> {
    const parameters = [user, UNDO_PURPOSES, new Date(this.kernel.clock.now())];
    const used = await this.kernel.database.query<{ purpose: string }>(this.#sql.usedPurposes, parameters, em);
    return UNDO_PURPOSES.find((each) => !used.some(({ purpose }) => purpose === each));
  }

  /** `claim` for `UNDO_PURPOSES`, which also voids those that were issued later. */
  async claimUndo(key: string, em: EntityManager): Promise<OneTimeKey | undefined> {
    if (!isMailedKey(key)) return undefined;
    await this.kernel.database.query(this.#sql.lockUser, [hashOf(key)], em);
    const found = await this.find(key, UNDO_PURPOSES, em);
    if (!found) return undefined;
    const deleted = await this.kernel.database.query(
      this.#sql.removeSince,
      [found.user, UNDO_PURPOSES, hashOf(key)],
      em,
    );
    return deleted.length > 0 ? found : undefined;
  }

  /** Deletes every key of a user except those of `UNDO_PURPOSES`. */
  async revokeAll(user: UserId, em: EntityManager): Promise<void> {
    await this.kernel.database.query(this.#sql.revokeAll, [user, UNDO_PURPOSES], em);
  }
}

function statements(key: Table, user: Table) {
  const [hash, purpose, owner, email, expiresAt] = ['hash', 'purpose', 'user', 'email', 'expiresAt'].map((name) =>
    key.column(name),
  );
  const id = user.column('id');
  return {
    store: `
      insert into ${key.name} (${hash}, ${purpose}, ${owner}, ${email}, ${expiresAt}) values ($1, $2, $3, $4, $5)
      on conflict (${owner}, ${purpose}) do update set
        ${hash} = excluded.${hash}, ${email} = excluded.${email}, ${expiresAt} = excluded.${expiresAt}`,
    find: `
      select k.${purpose} as "purpose", u.${id} as "user", k.${email} as "email"
      from ${key.name} k join ${user.name} u on u.${id} = k.${owner}
      where k.${hash} = $1 and k.${purpose} = any($2::text[]) and k.${expiresAt} > $3 and u.${user.column('isActive')}
        and (k.${purpose} = 'email-change' or k.${purpose} like 'email-undo-%'
          or u.${user.column('email')} = k.${email})`,
    lockUser: `
      select 1 from ${user.name} where ${id} = (select ${owner} from ${key.name} where ${hash} = $1) for no key update`,
    remove: `delete from ${key.name} where ${hash} = $1 and ${purpose} = $2 returning 1`,
    usedPurposes: `
      select ${purpose} as "purpose" from ${key.name}
      where ${owner} = $1 and ${purpose} = any($2::text[]) and ${expiresAt} > $3`,
    removeSince: `
      delete from ${key.name} where ${owner} = $1 and ${purpose} = any($2::text[])
        and (${expiresAt}, ${purpose}) >= (select ${expiresAt}, ${purpose} from ${key.name} where ${hash} = $3)
      returning 1`,
    revokeAll: `delete from ${key.name} where ${owner} = $1 and ${purpose} <> all($2::text[])`,
  };
}
