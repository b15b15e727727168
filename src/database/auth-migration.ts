import type { Configuration, EntityMetadata, IDatabaseDriver, MigrationObject } from '@mikro-orm/core';
import { entityMetadata, Table } from './table.js';

/** A migration with its unique name. */
export type NamedMigration = MigrationObject;

/**
 * Base class for migrations of the library and of modules. Table names, column names and the type of the user's key
 * come from the app's entities, so that the same migration works in every app.
 */
export abstract class AuthMigration {
  #queries: string[] = [];

  constructor(
    private readonly driver: IDatabaseDriver,
    private readonly config: Configuration,
  ) {}

  abstract up(): void;
  abstract down(): void;

  isTransactional(): boolean {
    return true;
  }

  reset(): void {
    this.#queries = [];
  }

  setTransactionContext(): void {}

  /** Adds SQL statements to this migration. */
  protected addSql(...queries: string[]): void {
    this.#queries.push(...queries);
  }

  getQueries(): string[] {
    return this.#queries;
  }

  /** The table of an entity. */
  protected table(name: string): Table {
    return this.#tableOf(entityMetadata(this.driver.getMetadata(), name));
  }

  /** The table that a relation of an entity points to, such as the app's user table. */
  protected target(name: string, relation: string): Table {
    const meta = entityMetadata(this.driver.getMetadata(), name).properties[relation]?.targetMeta;
    if (!meta) throw new TypeError(`${name}.${relation} is not a relation`);
    return this.#tableOf(meta);
  }

  #tableOf(meta: EntityMetadata): Table {
    return new Table(this.driver.getPlatform(), meta, this.config.get('schema'));
  }
}
