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

/** Random delay before each job, so that the response is sent first and the job does not change the response time. */
const MIN_DELAY_MS = 20;
const MAX_DELAY_MS = 120;

/** When any server may run a waiting job again, and when a job that has not succeeded is discarded. */
const TAKEOVER_SECONDS = 60;
const LIFETIME_SECONDS = 3600;

/** Runs a job with its payload, in the transaction that also deletes the job. */
type Handler<P> = (payload: P, em: EntityManager) => Promise<unknown>;

/**
 * Jobs that run after the response, so that the response time does not reveal whether an address is registered. A job
 * is stored, encrypted, before the response is sent. This server then runs its jobs one after another; if it stops,
 * another server takes them over. A job takes effect once; it runs again if it has failed (`handle`).
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
   * Registers the handler of a job name. Every server must register it. If the handler throws an error with a status
   * below 500, the job ends without a retry.
   */
  handle<P extends object>(name: string, handler: Handler<P>): void {
    this.#handlers.set(name, handler as Handler<never>);
  }

  /** Stores a job, to run after the response. @throws service_unavailable */
  async enqueue(name: string, payload: object): Promise<void> {
    const id = randomUUID();
    const content = this.#seal.seal(JSON.stringify({ name, payload }), id);
    const now = this.kernel.clock.now();
    const dates = [TAKEOVER_SECONDS, LIFETIME_SECONDS].map((seconds) => new Date(now + seconds * 1000));
    await this.#track(this.kernel.database.query(this.#sql.insert, [id, JOB_RECIPIENT, content, ...dates]));
    this.#last = this.#track(this.#last.then(() => this.#runSoon(id)));
  }

  /** Runs the pending jobs of this process without delay. Resolves when they have ended. */
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
    await this.#run(id).catch(() => {}); // logged; the outbox retries it
  }

  /** Runs a job, if no other server has run it. */
  async #run(id: string): Promise<void> {
    let name: string | undefined;
    try {
      await this.kernel.database.transaction(async (em) => {
        const [row] = await this.kernel.database.query<{ content: string }>(this.#sql.take, [id, JOB_RECIPIENT], em);
        if (!row) return;
        const job = JSON.parse(this.#seal.open(row.content, id));
        name = job.name as string;
        const handler = this.#handlers.get(name);
        if (!handler) throw new TypeError('the job has no handler');
        await handler(job.payload as never, em);
      });
    } catch (error) {
      if (error instanceof JwtAllauthError && error.httpCode < 500) {
        await this.kernel.database.query(this.#sql.take, [id, JOB_RECIPIENT]);
        return;
      }
      const kind = error instanceof UnsealError ? error.code : error instanceof Error ? error.name : typeof error;
      this.kernel.logger.error({ job: name, error: kind }, 'a background job failed');
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
