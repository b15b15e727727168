import { randomInt, randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import { JwtAllauthError } from '../error.js';
import type { Logger } from '../observability/logger.js';
import type { EncryptionKeys } from '../secrets/encryption-keys.js';
import type { Seal } from '../secrets/seal.js';
import { UnsealError } from '../secrets/unseal-error.js';
import type { Outbox } from './outbox.js';
import { JOB_RECIPIENT, OUTBOX_MAIL_ENTITY } from './outbox-mail.entity.js';

/**
 * Milliseconds before each piece of work, at least and at most: the answer goes out, and no load follows it at once.
 */
const MIN_DELAY_MS = 20;
const MAX_DELAY_MS = 120;

/** Seconds after which another server may do the work, and after which it is of no use any more. */
const TAKEOVER_SECONDS = 60;
const LIFETIME_SECONDS = 3600;

/** Does a piece of work with what was written down, in the transaction that also crosses it off. */
type Handler<P> = (payload: P, em: EntityManager) => Promise<unknown>;

/**
 * Work that goes on after the answer, where the time to the answer would tell whether an address is known. It is
 * written down before the answer, sealed, and done once: by this server shortly after, one piece after another, or by
 * another one if this one has died. What fails is tried again.
 */
export class BackgroundJobs {
  readonly #sql: ReturnType<typeof statements>;
  readonly #seal: Seal;
  readonly #handlers = new Map<string, Handler<never>>();
  readonly #pending = new Set<Promise<unknown>>();
  #last: Promise<unknown> = Promise.resolve();
  #delayAbort = new AbortController();

  constructor(
    protected readonly kernel: {
      readonly database: Database;
      readonly orm: MikroORM;
      readonly outbox: Outbox;
      readonly clock: Clock;
      readonly logger: Logger;
      readonly encryption: EncryptionKeys;
    },
  ) {
    const { orm, outbox, encryption } = kernel;
    this.#seal = encryption.sealFor('deferred work');
    this.#sql = statements(Table.named(orm, OUTBOX_MAIL_ENTITY));
    outbox.useJobRunner((id) => this.#run(id));
  }

  /**
   * Says how work of a name is done, on every server. What it throws of the client's fault (below 500) ends the work.
   */
  handle<P extends object>(name: string, handler: Handler<P>): void {
    this.#handlers.set(name, handler as Handler<never>);
  }

  /** Writes work down, to be done after the answer. @throws service_unavailable */
  async enqueue(name: string, payload: object): Promise<void> {
    const id = randomUUID();
    const content = this.#seal.seal(JSON.stringify({ name, payload }), id);
    const now = this.kernel.clock.now();
    const dates = [TAKEOVER_SECONDS, LIFETIME_SECONDS].map((seconds) => new Date(now + seconds * 1000));
    await this.#track(this.kernel.database.query(this.#sql.insert, [id, JOB_RECIPIENT, content, ...dates]));
    this.#last = this.#track(this.#last.then(() => this.#runSoon(id)));
  }

  /** Does at once what was written down here, and resolves when it is done. */
  async runPending(): Promise<void> {
    this.#delayAbort.abort();
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending);
    this.#delayAbort = new AbortController();
  }

  #track<T>(work: Promise<T>): Promise<T> {
    const ended: Promise<unknown> = work.then(
      () => this.#pending.delete(ended),
      () => this.#pending.delete(ended),
    );
    this.#pending.add(ended);
    return work;
  }

  async #runSoon(id: string): Promise<void> {
    const { signal } = this.#delayAbort;
    await setTimeout(randomInt(MIN_DELAY_MS, MAX_DELAY_MS + 1), undefined, { signal }).catch(() => {});
    await this.#run(id).catch(() => {}); // logged; the outbox comes back to it
  }

  /** Does a piece of work that is not done yet. */
  async #run(id: string): Promise<void> {
    let name: string | undefined;
    try {
      await this.kernel.database.transaction(async (em) => {
        const [row] = await this.kernel.database.query<{ content: string }>(this.#sql.take, [id, JOB_RECIPIENT], em);
        if (!row) return;
        const work = JSON.parse(this.#seal.open(row.content, id));
        name = work.name as string;
        const handler = this.#handlers.get(name);
        if (!handler) throw new TypeError('there is no such work here');
        await handler(work.payload as never, em);
      });
    } catch (error) {
      if (error instanceof JwtAllauthError && error.httpCode < 500) {
        await this.kernel.database.query(this.#sql.take, [id, JOB_RECIPIENT]);
        return;
      }
      const kind = error instanceof UnsealError ? error.code : error instanceof Error ? error.name : typeof error;
      this.kernel.logger.error({ work: name, error: kind }, 'deferred work failed');
      throw error;
    }
  }
}

function statements(mail: Table) {
  const c = (name: string) => mail.column(name);
  const columns = ['id', 'recipient', 'content', 'attempts', 'nextAttemptAt', 'expiresAt'].map(c);
  return {
    insert: `insert into ${mail.name} (${columns.join(', ')}) values ($1, $2, $3, 0, $4, $5)`,
    take: `
      delete from ${mail.name} where ${c('id')} = $1 and ${c('recipient')} = $2 returning ${c('content')} as "content"`,
  };
}
