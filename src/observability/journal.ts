import { randomUUID } from 'node:crypto';
import type { EntityMetadata } from '@mikro-orm/core';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import type { Settings } from '../settings/settings.js';
import type { AuthEvents, NamedEvent } from './auth-events.js';

/** Where what happened is told, and with AUDIT_LOG also written: together with what it tells of, or not at all. */
export class Journal {
  readonly #insert: string;

  constructor(
    private readonly database: Database,
    orm: MikroORM,
    meta: EntityMetadata,
    private readonly events: AuthEvents,
    private readonly settings: Settings,
  ) {
    const table = Table.of(orm, meta);
    const columns = ['id', 'at', 'event', 'user', 'session', 'details'].map((name) => table.column(name));
    this.#insert = `
      insert into ${table.name} (${columns.join(', ')})
      select * from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::uuid[], $6::jsonb[])`;
  }

  /** Whether what happens is written down, and so needs a transaction. */
  get isWriting(): boolean {
    return this.settings.auditLog;
  }

  /** Runs `work` in a transaction where its events are written, and without one where they are not. */
  async together<T>(work: (em?: EntityManager) => Promise<T>): Promise<T> {
    return this.isWriting ? this.database.transaction(work) : work();
  }

  /** Writes the events in the transaction of `em`, if they are to be written, and tells them once it has committed. */
  async record(events: readonly NamedEvent[], em?: EntityManager): Promise<void> {
    if (this.isWriting && events.length > 0) await this.database.query(this.#insert, columnsOf(events), em);
    this.tell(events, em);
  }

  /** Tells the events without writing them: what happens as often as a stranger likes must not fill a table. */
  tell(events: readonly NamedEvent[], em?: EntityManager): void {
    this.database.afterCommit(em, () => {
      for (const [name, event] of events) this.events.emit(name, event);
    });
  }
}

function columnsOf(events: readonly NamedEvent[]): unknown[][] {
  const rows = events.map(([name, event]) => {
    const { at, user, session, ...details } = event as typeof event & { user?: string; session?: string };
    return [randomUUID(), at, name, user ?? null, session ?? null, JSON.stringify(details)];
  });
  return [0, 1, 2, 3, 4, 5].map((column) => rows.map((row) => row[column]));
}
