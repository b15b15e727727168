import { randomUUID } from 'node:crypto';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import type { Settings } from '../settings/settings.js';
import { AUDIT_EVENT_ENTITY } from './audit-event.entity.js';
import type { AuthEvents, NewEvent } from './auth-events.js';

/** Where what happened is told, and with AUDIT_LOG also written: together with what it tells of, or not at all. */
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

  /** Whether what happens is written down, and so needs a transaction. */
  get isAuditing(): boolean {
    return this.kernel.settings.auditLog;
  }

  /**
   * Runs `work` in a transaction where its events are written, and without one where they are not.
   *
   * @param em what `work` is given without a transaction; a new one is not for free
   */
  async runAudited<T>(work: (em: EntityManager) => Promise<T>, em?: EntityManager): Promise<T> {
    return this.isAuditing ? this.kernel.database.transaction(work) : work(em ?? this.kernel.database.fork());
  }

  /** Writes what happened in the transaction of `em`, if it is to be written, and tells it once that has committed. */
  async record(events: readonly NewEvent[], em?: EntityManager): Promise<void> {
    const at = new Date(this.kernel.clock.now());
    if (this.isAuditing && events.length > 0) await this.kernel.database.query(this.#insert, columnsOf(events, at), em);
    this.#emit(events, at, em);
  }

  /** Tells what happened without writing it: what happens as often as a stranger likes must not fill a table. */
  emit(...events: readonly NewEvent[]): void {
    this.#emit(events, new Date(this.kernel.clock.now()));
  }

  #emit(events: readonly NewEvent[], at: Date, em?: EntityManager): void {
    this.kernel.database.afterCommit(em, () => {
      for (const [name, what] of events) this.kernel.events.emit(name, { ...what, at } as never);
    });
  }
}

function columnsOf(events: readonly NewEvent[], at: Date): unknown[][] {
  const rows = events.map(([name, what]) => {
    const { user, session, ...details } = what as typeof what & { user?: string; session?: string };
    return [randomUUID(), at, name, user ?? null, session ?? null, JSON.stringify(details)];
  });
  return [0, 1, 2, 3, 4, 5].map((column) => rows.map((row) => row[column]));
}
