import type { Configuration, EntityMetadata, IDatabaseDriver, MigrationObject } from '@mikro-orm/core';
import { entityMetadata, Table } from './table.js';

/** A migration with its name, which no other has. */
export type NamedMigration = MigrationObject;

/**
 * A migration of the library or of a module. Names and the type of the user's key come from the app's own entities, so
 * that one migration fits every app.
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

  /** Adds statements to those of this migration. */
  protected run(...queries: string[]): void {
    this.#queries.push(...queries);
  }

  getQueries(): string[] {
    return this.#queries;
  }

  /** The table of an entity. */
  protected table(name: string): Table {
    return this.#tableOf(entityMetadata(this.driver.getMetadata(), name));
  }

  /** The table to which a relation of an entity leads, such as that of the app's users. */
  protected target(name: string, relation: string): Table {
    const meta = entityMetadata(this.driver.getMetadata(), name).properties[relation]?.targetMeta;
    if (!meta) throw new TypeError(`${name}.${relation} is no relation`);
    return this.#tableOf(meta);
  }

  #tableOf(meta: EntityMetadata): Table {
    return new Table(this.driver.getPlatform(), meta, this.config.get('schema'));
  }
}
