import type { EntityMetadata } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { Database } from '../database/database.js';
import type { Table } from '../database/table.js';
import type { BaseUser, UserId } from './base-user.entity.js';
import { findUserOptions } from './user-loading.js';

/**
 * Updates and deletes users outside of the unit of work, so that an update can depend on the current values of the row.
 * As in a flush, the version is raised and `onUpdate` is called. Lifecycle hooks and subscribers of MikroORM do not
 * run.
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

  /** Updates a user if the row has the expected values. False: it has other values, or does not exist. */
  async update(id: UserId, expected: Partial<U>, changes: Partial<U>, em?: EntityManager): Promise<boolean> {
    if (!em) return this.database.transaction((transactionEm) => this.update(id, expected, changes, transactionEm));
    const automatic = await this.#valuesOfOnUpdate(id, changes, em);
    if (!automatic) return false;
    const { schema } = findUserOptions(em);
    const where = { ...expected, id } as never;
    const data = { ...automatic, ...changes } as never;
    return (await em.nativeUpdate(this.users.meta.class, where, data, { filters: false, schema })) > 0;
  }

  /** Deletes a user. False: there is no such user. */
  async delete(id: UserId, em: EntityManager): Promise<boolean> {
    return (await this.database.query(this.#delete, [id], em)).length > 0;
  }

  /** The values of the properties that have `onUpdate`. Undefined: there is no such user. */
  async #valuesOfOnUpdate(id: UserId, changes: Partial<U>, em: EntityManager): Promise<Partial<U> | undefined> {
    const touched = this.users.meta.props.filter(({ onUpdate, persist }) => onUpdate && persist !== false);
    if (touched.length === 0) return {};
    const [row] = await this.database.query(this.#lock, [id], em);
    if (!row) return undefined;
    const fork = this.database.forkInTransactionOf(em); // `em` would flush the changes a second time
    const user = Object.assign(this.users.fromRow(fork, row), changes);
    const values = touched.map(({ name, onUpdate }) => [name, onUpdate?.(user, fork)]);
    return Object.fromEntries(values) as Partial<U>;
  }
}
