import type { EntityClass, EntityMetadata } from '@mikro-orm/core';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import { tokenNotValid } from '../error.js';
import type { BaseUser, UserId } from './base-user.entity.js';
import { normalizeEmail } from './email.js';
import { parseUserId } from './user-key.js';

/** What a password is checked against; an app's user is one too. */
export interface PasswordOwner {
  readonly id: UserId;
  readonly email: string;
  /** Null or undefined for a user without a password. */
  passwordHash?: string | null;
  readonly isActive: boolean;
  readonly emailVerified: boolean;
}

/** The app's users: found, made and loaded as the app's own entity, whatever its key and its columns. */
export class UserService<U extends BaseUser = BaseUser> {
  readonly table: Table;
  readonly #byEmail: string;

  constructor(
    private readonly database: Database,
    orm: MikroORM,
    private readonly meta: EntityMetadata<U>,
  ) {
    this.table = Table.of(orm, meta as EntityMetadata);
    const columns = ['id', 'email', 'passwordHash', 'isActive', 'emailVerified'].map(
      (name) => `${this.table.column(name)} as "${name}"`,
    );
    this.#byEmail = `select ${columns.join(', ')} from ${this.table.name} where ${this.table.column('email')} = $1`;
  }

  get entity(): EntityClass<U> {
    return this.meta.class;
  }

  /** The key that a `sub` claim names. @throws token_not_valid when no user of ours can have it */
  keyOf(sub: string): UserId {
    const key = parseUserId(sub, this.meta.properties['id' as keyof typeof this.meta.properties]);
    if (key === undefined) throw tokenNotValid('no-active-user');
    return key;
  }

  /** The key of the user whom a text names by it; undefined when there is no such user. */
  async findKey(id: string): Promise<UserId | undefined> {
    const key = parseUserId(id, this.meta.properties['id' as keyof typeof this.meta.properties]);
    if (key === undefined) return undefined;
    const sql = `select 1 from ${this.table.name} where ${this.table.column('id')} = $1`;
    return (await this.database.query(sql, [key])).length > 0 ? key : undefined;
  }

  /**
   * The user of a row that has `table.columns()`, managed by `database.reader(em)`: `em.map`, without a walk over what hangs
   * on the user, and never into an EntityManager of the app's.
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

  /** The active user of a `sub` claim, loaded and managed by `em`. @throws token_not_valid when there is none */
  async getActive(em: EntityManager, sub: string): Promise<U> {
    const user = await em.findOne(this.entity, { id: this.keyOf(sub), isActive: true } as never);
    if (!user) throw tokenNotValid('no-active-user');
    return user as U;
  }

  /** Whose address it is, active or not. */
  async findByEmail(email: string, em?: EntityManager): Promise<PasswordOwner | undefined> {
    const [owner] = await this.database.query<PasswordOwner>(this.#byEmail, [normalizeEmail(email)], em);
    return owner;
  }

  /** The user of a `sub` claim together with the password hash. @throws token_not_valid when there is no active one */
  async getActiveWithPassword(sub: string): Promise<U> {
    return this.database.read(async (em) => {
      const user = await this.getActive(em, sub);
      await em.populate(user, ['passwordHash'] as never);
      return user;
    });
  }

  /** Sets a hash in place of exactly the one that was checked. False: the user has another password by now, or is gone. */
  async replacePasswordHash(user: PasswordOwner, next: string | null, em?: EntityManager): Promise<boolean> {
    const { table } = this;
    const rows = await this.database.query(
      `update ${table.name} set ${table.column('passwordHash')} = $1
       where ${table.column('id')} = $2 and ${table.column('passwordHash')} is not distinct from $3 and ${table.column('isActive')}
       returning 1`,
      [next, user.id, user.passwordHash ?? null],
      em,
    );
    return rows.length > 0;
  }

  /** Sets a password for an active user who has proved the mailbox, which also confirms the address. False: none active. */
  async setPassword(id: UserId, passwordHash: string, em: EntityManager): Promise<boolean> {
    const { table } = this;
    const rows = await this.database.query(
      `update ${table.name} set ${table.column('passwordHash')} = $1, ${table.column('emailVerified')} = true
       where ${table.column('id')} = $2 and ${table.column('isActive')} returning 1`,
      [passwordHash, id],
      em,
    );
    return rows.length > 0;
  }

  /** Makes an address the user's confirmed one. False: somebody else has it by now, or there is no such user. */
  async confirmEmail(id: UserId, email: string, em: EntityManager): Promise<boolean> {
    const { table } = this;
    const rows = await this.database.query(
      `update ${table.name} set ${table.column('email')} = $1, ${table.column('emailVerified')} = true
       where ${table.column('id')} = $2
         and not exists (select from ${table.name} where ${table.column('email')} = $1 and ${table.column('id')} <> $2)
       returning 1`,
      [normalizeEmail(email), id],
      em,
    );
    return rows.length > 0;
  }
}
