import {
  type EntityClass,
  type EntityMetadata,
  type EntityProperty,
  LoadStrategy,
  ReferenceKind,
} from '@mikro-orm/core';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import { isUniqueViolation, violatedConstraint } from '../database/constraint-violation.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import { violatedColumns } from '../database/violated-columns.js';
import { authError, tokenNotValid } from '../error-table.js';
import { ACCOUNT_ENTITY } from './account.entity.js';
import { assertUserEntity } from './assert-user-entity.js';
import type { BaseUser, UserId } from './base-user.entity.js';
import { normalizeEmail } from './email.js';
import { parseUserId } from './user-key.js';
import { findUserOptions, loadEagerRelations } from './user-loading.js';
import { UserWrites } from './user-writes.js';

/** What a sign-in needs to know about a user. The app's user entity satisfies this type. */
export interface PasswordOwner {
  readonly id: UserId;
  readonly email: string;
  /** Null: the user has no password. Undefined: it was not loaded. */
  passwordHash?: string | null;
  readonly isActive: boolean;
  readonly emailVerified: boolean;
  /** The credential epoch (`Accounts`) that was read together with the hash. */
  readonly credentialEpoch?: number;
}

/** Finds, loads, updates and deletes the app's users. Works with any entity of the app, key and column names. */
export class UserService<U extends BaseUser = BaseUser> {
  readonly table: Table;
  readonly #sql: ReturnType<typeof statements>;
  readonly #writes: UserWrites<U>;

  constructor(
    private readonly database: Database,
    orm: MikroORM,
    private readonly meta: EntityMetadata<U>,
  ) {
    assertUserEntity(meta as EntityMetadata, orm.config.getSchema(true));
    this.table = Table.of(orm, meta as EntityMetadata);
    this.#sql = statements(this.table, Table.named(orm, ACCOUNT_ENTITY));
    this.#writes = new UserWrites(database, { table: this.table, meta, fromRow: (em, row) => this.fromRow(em, row) });
  }

  /** Whether the values of `role` and `emailVerified` are stored as they are, without custom types or accessors. */
  get hasPlainClaims(): boolean {
    const { role, emailVerified } = this.meta.properties as Readonly<Record<string, EntityProperty>>;
    return [role, emailVerified].every(isPlain);
  }

  get entity(): EntityClass<U> {
    return this.meta.class;
  }

  /** Converts a `sub` claim to the key of a user. @throws token_not_valid if no user can have that key */
  keyOf(sub: string): UserId {
    const key = parseUserId(sub, this.meta.properties['id' as keyof typeof this.meta.properties]);
    if (key === undefined) throw tokenNotValid('no-active-user');
    return key;
  }

  /** Converts a text to the key of an existing user. Undefined if there is no such user. */
  async findKey(id: string): Promise<UserId | undefined> {
    const key = parseUserId(id, this.meta.properties['id' as keyof typeof this.meta.properties]);
    if (key === undefined) return undefined;
    const sql = `select 1 from ${this.table.name} where ${this.table.column('id')} = $1`;
    return (await this.database.query(sql, [key])).length > 0 ? key : undefined;
  }

  /**
   * Makes the user from a row with the columns of `table.columns()`. It is managed by `database.reader(em)`, and never
   * by the app's EntityManager. Unlike `em.map`, this does not visit relations.
   */
  fromRow(em: EntityManager, row: object): U {
    const data = em.getDriver().mapResult(row as never, this.meta);
    return this.database.reader(em).merge(this.entity, data as never, {
      convertCustomTypes: true,
      refresh: true,
      validate: false,
      cascade: false,
    });
  }

  /**
   * Loads the active user of a `sub` claim into `em`, which may be the app's EntityManager. Unflushed changes of `em`
   * stay. The query ignores the app's filters, caches and replicas (`user-loading.ts`).
   *
   * @throws token_not_valid if there is no such user, or the user is not active
   */
  async getActive(em: EntityManager, sub: string): Promise<U> {
    return this.#getActive(em, sub, findUserOptions(em));
  }

  /**
   * Like `getActive`, with the eager relations of the app's entity. The app's filters apply to these relations, unless
   * the app has disabled the identity map. Unflushed changes of `em` stay.
   */
  async getActiveWithRelations(em: EntityManager, sub: string): Promise<U> {
    const hasRelations = this.meta.relations.some(({ eager }) => eager);
    if (!hasRelations) return this.getActive(em, sub);
    if (em.config.get('disableIdentityMap')) {
      // Without an identity map, `populate` would not attach the relations to this user.
      return this.#getActive(em, sub, { ...findUserOptions(em), populate: [], strategy: LoadStrategy.JOINED });
    }
    const user = await this.getActive(em, sub);
    await loadEagerRelations(em, user);
    return user;
  }

  async #getActive(em: EntityManager, sub: string, options: object): Promise<U> {
    // Not `findOne`, which loads eager relations even with `populate: false`.
    const [user] = await em.find(this.entity, { id: this.keyOf(sub), isActive: true } as never, options);
    if (!user) throw tokenNotValid('no-active-user');
    return user as U;
  }

  /** Finds a user by address, active or not. */
  async findByEmail(email: string, em?: EntityManager): Promise<PasswordOwner | undefined> {
    const [owner] = await this.database.query<PasswordOwner>(this.#sql.byEmail, [normalizeEmail(email)], em);
    return owner;
  }

  /** Finds a user by key, active or not. */
  async findById(id: UserId, em?: EntityManager): Promise<PasswordOwner | undefined> {
    const [owner] = await this.database.query<PasswordOwner>(this.#sql.byId, [id], em);
    return owner;
  }

  /**
   * Reads the active user of a `sub` claim with the password hash. The entity is not managed by `em`.
   *
   * @param em the transaction in which it is read. Default: none
   * @throws token_not_valid if there is no such user, or the user is not active
   */
  async getActiveWithPassword(sub: string, em?: EntityManager): Promise<U> {
    const [row] = await this.database.query(this.#sql.active, [this.keyOf(sub)], em);
    if (!row) throw tokenNotValid('no-active-user');
    return this.fromRow(this.database.fork(), row);
  }

  /**
   * Whether a user is active and still has the password hash that was checked, or still has none. If so, locks the
   * user's row until the end of the transaction of `em`.
   */
  async hasSamePassword({ id, passwordHash }: PasswordOwner, em: EntityManager): Promise<boolean> {
    return (await this.database.query(this.#sql.samePassword, [id, passwordHash ?? null], em)).length > 0;
  }

  /**
   * Replaces the password hash if it is still the one that was checked. False: the hash has changed, or there is no
   * such active user.
   */
  async replacePasswordHash(user: PasswordOwner, next: string | null, em?: EntityManager): Promise<boolean> {
    const checked = { passwordHash: user.passwordHash ?? null, isActive: true };
    return this.#writes.update(user.id, checked as Partial<U>, { passwordHash: next } as Partial<U>, em);
  }

  /**
   * Sets the password of a user who has proved access to the mailbox, and marks the address as confirmed. False: there
   * is no such active user.
   */
  async setPassword(id: UserId, passwordHash: string, em: EntityManager): Promise<boolean> {
    const proved = { passwordHash, emailVerified: true };
    return this.#writes.update(id, { isActive: true } as Partial<U>, proved as Partial<U>, em);
  }

  /** Sets the user's address and marks it as confirmed. False: another user has it, or there is no such user. */
  async confirmEmail(id: UserId, email: string, em: EntityManager): Promise<boolean> {
    const address = normalizeEmail(email);
    if ((await this.database.query(this.#sql.otherWithEmail, [address, id], em)).length > 0) return false;
    return this.#writes.update(id, {}, { email: address, emailVerified: true } as Partial<U>, em);
  }

  /**
   * Sets the address of a user, a former or the present one, marks it as confirmed, and removes the password. False:
   * there is no such active user.
   */
  async restoreEmail(id: UserId, email: string, em: EntityManager): Promise<boolean> {
    const changes = { email: normalizeEmail(email), emailVerified: true, passwordHash: null };
    return this.#writes.update(id, { isActive: true } as Partial<U>, changes as Partial<U>, em);
  }

  /** Deactivates a user. False: there is no such active user. */
  async deactivate(id: UserId, em: EntityManager): Promise<boolean> {
    return this.#writes.update(id, { isActive: true } as Partial<U>, { isActive: false } as Partial<U>, em);
  }

  /**
   * The error for an insert or an update that failed because another user has a value that must be unique:
   * field_already_taken with the names of the fields. Any other error is returned as it is, also for a value that was
   * not given, because the client could not change it.
   *
   * @param given the given values, by property
   */
  refusalOf(error: unknown, given: object): unknown {
    if (!isUniqueViolation(error) || violatedConstraint(error).table !== this.meta.tableName) return error;
    const columns = violatedColumns(error);
    const properties = this.meta.properties as Readonly<Record<string, EntityProperty>>;
    const names = Object.keys(given).filter((name) => columns.includes(properties[name]?.fieldNames?.[0] ?? ''));
    if (names.length === 0) return error;
    const errors = names.map((field) => ({ field, messages: ['is taken already'] }));
    const detail = `Another account has the same ${names.join(' and ')} already.`;
    return authError('field_already_taken', { detail, errors, cause: error });
  }

  /** Deletes a user. False: there is no such user. */
  async delete(id: UserId, em: EntityManager): Promise<boolean> {
    return this.#writes.delete(id, em);
  }
}

function isPlain(property: EntityProperty | undefined): boolean {
  if (property?.kind !== ReferenceKind.SCALAR || property.persist === false) return false;
  return !property.customType && !property.getter && !property.setter && !property.formula;
}

function statements(table: Table, account: Table) {
  const [id, email, passwordHash, isActive] = ['id', 'email', 'passwordHash', 'isActive'].map((name) =>
    table.column(name),
  );
  const owner = ['id', 'email', 'passwordHash', 'isActive', 'emailVerified'].map(
    (name) => `u.${table.column(name)} as "${name}"`,
  );
  const ownerWhere = (column: string | undefined) => `
      select ${owner.join(', ')}, coalesce(a.${account.column('credentialEpoch')}, 0) as "credentialEpoch"
      from ${table.name} u left join ${account.name} a on a.${account.column('user')} = u.${id}
      where u.${column} = $1`;
  return {
    byEmail: ownerWhere(email),
    byId: ownerWhere(id),
    active: `select ${table.columns('u')}, u.${passwordHash} from ${table.name} u where u.${id} = $1 and u.${isActive}`,
    samePassword: `
      select 1 from ${table.name} where ${id} = $1 and ${passwordHash} is not distinct from $2 and ${isActive}
      for no key update`,
    otherWithEmail: `select 1 from ${table.name} where ${email} = $1 and ${id} <> $2`,
  };
}
