import { randomUUID } from 'node:crypto';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import type { Settings } from '../settings/settings.js';
import { AUDIT_EVENT_ENTITY } from './audit-event.entity.js';
import type { AuthEvents, NewEvent } from './auth-events.js';

/**
 * Emits events. With AUDIT_LOG `record` also stores them, in the transaction of the change that they describe: both are
 * committed, or neither.
 */
export class Journal {
  readonly #insert: string;

  constructor(
    protected readonly kernel: {
      readonly database: Database;
      readonly orm: MikroORM;
      readonly events: AuthEvents;
      readonly settings: Settings;
      readonly clock: Clock;
    },
  ) {
    const { orm } = kernel;
    const table = Table.named(orm, AUDIT_EVENT_ENTITY);
    const columns = ['id', 'at', 'event', 'user', 'session', 'details'].map((name) => table.column(name));
    this.#insert = `
      insert into ${table.name} (${columns.join(', ')})
      select * from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::uuid[], $6::jsonb[])`;
  }

  /** Whether events are stored (AUDIT_LOG), and therefore need a transaction. */
  get isAuditing(): boolean {
    return this.kernel.settings.auditLog;
  }

  /**
   * Runs `work` in a transaction if events are stored, and without one if they are not.
   *
   * @param em the EntityManager that `work` gets if there is no transaction. Default: a new fork
   */
  async runAudited<T>(work: (em: EntityManager) => Promise<T>, em?: EntityManager): Promise<T> {
    return this.isAuditing ? this.kernel.database.transaction(work) : work(em ?? this.kernel.database.fork());
  }

  /** Stores events in the transaction of `em` (AUDIT_LOG), and emits them after the commit (`Database.afterCommit`). */
  async record(events: readonly NewEvent[], em?: EntityManager): Promise<void> {
    const at = new Date(this.kernel.clock.now());
    if (this.isAuditing && events.length > 0) await this.kernel.database.query(this.#insert, columnsOf(events, at), em);
    this.#emit(events, at, em);
  }

  /** Emits events without storing them: for events with which strangers could fill the table. */
  emit(...events: readonly NewEvent[]): void {
    this.#emit(events, new Date(this.kernel.clock.now()));
  }

  #emit(events: readonly NewEvent[], at: Date, em?: EntityManager): void {
    this.kernel.database.afterCommit(em, () => {
      for (const [name, details] of events) this.kernel.events.emit(name, { ...details, at } as never);
    });
  }
}

function columnsOf(events: readonly NewEvent[], at: Date): unknown[][] {
  const rows = events.map(([name, event]) => {
    const { user, session, ...details } = event as typeof event & { user?: string; session?: string };
    return [randomUUID(), at, name, user ?? null, session ?? null, JSON.stringify(details)];
  });
  return [0, 1, 2, 3, 4, 5].map((column) => rows.map((row) => row[column]));
}
