import { createHmac, type KeyObject } from 'node:crypto';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import { authError } from '../error-table.js';
import { LOGIN_ATTEMPT_ENTITY } from './login-attempt.entity.js';

/** How often something was counted in its time, and for how many seconds more that lasts. */
export interface EventCount {
  readonly count: number;
  readonly wait: number;
}

/**
 * Counters of events in PostgreSQL, which all servers share. One statement counts, so that parallel events are all
 * seen.
 */
export class EventCounters {
  readonly #sql: string;

  constructor(
    protected readonly kernel: {
      readonly database: Database;
      readonly orm: MikroORM;
      readonly clock: Clock;
    },
    /** Hides whom the rows are about. */
    private readonly key: KeyObject,
  ) {
    const { orm } = kernel;
    this.#sql = statement(Table.named(orm, LOGIN_ATTEMPT_ENTITY));
  }

  /**
   * Counts one more event.
   *
   * @param name what is counted together
   * @param seconds after which the count starts anew
   */
  async count(name: readonly unknown[], seconds: number, em?: EntityManager): Promise<EventCount> {
    const key = createHmac('sha256', this.key).update(JSON.stringify(name)).digest('base64url');
    const now = this.kernel.clock.now();
    const parameters = [key, new Date(now + seconds * 1000), new Date(now)];
    const [row] = await this.kernel.database.query<EventCount>(this.#sql, parameters, em);
    return row ?? { count: 0, wait: 0 };
  }
}

/** Refuses an event that is one too many. @throws too_many_requests */
export function throwIfOver({ count, wait }: EventCount, limit: { readonly count: number }): void {
  if (count <= limit.count) return;
  const retryAfter = Math.max(1, Math.ceil(wait));
  throw authError('too_many_requests', {
    retryAfter,
  });
}

function statement(attempts: Table): string {
  const [key, failures, resetsAt] = ['key', 'failures', 'resetsAt'].map((name) => attempts.column(name));
  return `
    insert into ${attempts.name} as a (${key}, ${failures}, ${resetsAt}) values ($1, 1, $2)
    on conflict (${key}) do update set
      ${failures} = case when a.${resetsAt} <= $3 then 1 else least(a.${failures}, 1000000) + 1 end,
      ${resetsAt} = case when a.${resetsAt} <= $3 then excluded.${resetsAt} else a.${resetsAt} end
    returning a.${failures} as count, extract(epoch from a.${resetsAt} - $3)::float8 as wait`;
}
