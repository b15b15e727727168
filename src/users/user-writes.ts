import type { EntityMetadata } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { Database } from '../database/database.js';
import type { Table } from '../database/table.js';
import type { BaseUser, UserId } from './base-user.entity.js';
import { findUserOptions } from './user-loading.js';

/**
 * The statements that write a user beside the unit of work, so that what is written depends on what the row says at
 * that moment. The version is raised and `onUpdate` is called as a flush would do; hooks and subscribers do not run.
 */
export class UserWrites<U extends BaseUser> {
  readonly #lock: string;
  readonly #delete: string;

  constructor(
    private readonly database: Database,
    private readonly users: {
      readonly table: Table;
      readonly meta: EntityMetadata<U>;
      /** Makes the user of a row. */
      readonly fromRow: (em: EntityManager, row: object) => U;
    },
  ) {
    const { table } = users;
    const id = table.column('id');
    this.#lock = `select ${table.columns('u')} from ${table.name} u where u.${id} = $1 for no key update`;
    this.#delete = `delete from ${table.name} where ${id} = $1 returning 1`;
  }

  /** Changes a user, provided that the row has these values. False: it has others, or there is none. */
  async update(id: UserId, expected: Partial<U>, changes: Partial<U>, em?: EntityManager): Promise<boolean> {
    if (!em) return this.database.transaction((own) => this.update(id, expected, changes, own));
    const initial = await this.#onUpdate(id, changes, em);
    if (!initial) return false;
    const { schema } = findUserOptions(em);
    const where = { ...expected, id } as never;
    const data = { ...initial, ...changes } as never;
    return (await em.nativeUpdate(this.users.meta.class, where, data, { filters: false, schema })) > 0;
  }

  /** Deletes a user's row. */
  async delete(id: UserId, em: EntityManager): Promise<boolean> {
    return (await this.database.query(this.#delete, [id], em)).length > 0;
  }

  /** What `onUpdate` makes of the columns that have it. Undefined: there is no such user. */
  async #onUpdate(id: UserId, changes: Partial<U>, em: EntityManager): Promise<Partial<U> | undefined> {
    const touched = this.users.meta.props.filter(({ onUpdate, persist }) => onUpdate && persist !== false);
    if (touched.length === 0) return {};
    const [row] = await this.database.query(this.#lock, [id], em);
    if (!row) return undefined;
    const aside = this.database.forkInTransactionOf(em); // in the other one it would be flushed once more
    const user = Object.assign(this.users.fromRow(aside, row), changes);
    const values = touched.map(({ name, onUpdate }) => [name, onUpdate?.(user, aside)]);
    return Object.fromEntries(values) as Partial<U>;
  }
}
