import { randomUUID } from 'node:crypto';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import type { Logger } from '../observability/logger.js';
import type { EncryptionKeys } from '../secrets/encryption-keys.js';
import type { Seal } from '../secrets/seal.js';
import { UnsealError } from '../secrets/unseal-error.js';
import { isPermanentRejection } from './mail-rejection.js';
import type { Mail, Mailer } from './mailer.js';
import { JOB_RECIPIENT, OUTBOX_MAIL_ENTITY } from './outbox-mail.entity.js';

/** How often the outbox searches for mails that are to be retried, or that a stopped server has left. */
const POLL_INTERVAL_MS = 30_000;

/** For how many mails this server remembers that it has no key to decrypt them. */
const MAX_UNDECRYPTABLE = 1000;

/** How many mails one call of `deliver` sends in parallel. */
const MAX_PARALLEL = 5;

interface ClaimedMail {
  readonly id: string;
  readonly to: string;
  readonly content: string;
  readonly attempts: number;
}

/**
 * The queue of mails. A mail is stored in the transaction of the change that it is about, and sent after the commit. So
 * no mail is lost while the mail server is unreachable.
 *
 * To claim a mail, a server moves its next attempt five minutes into the future and commits. So no other server sends
 * it at the same time, and if this server stops while sending, another one sends the mail again.
 *
 * The content is encrypted, so that the links cannot be used by reading the database. A mail that this server cannot
 * decrypt is left to other servers, which may have the key while keys are being replaced.
 */
export class Outbox {
  readonly #sql: ReturnType<typeof statements>;
  readonly #seal: Seal;
  readonly #running = new Set<Promise<unknown>>();
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #jobRunner: (id: string) => Promise<void> = () => Promise.reject(new TypeError('no job runner'));
  readonly #undecryptable = new Set<string>();

  constructor(
    protected readonly kernel: {
      readonly database: Database;
      readonly orm: MikroORM;
      readonly mailer: Mailer;
      readonly clock: Clock;
      readonly logger: Logger;
      readonly encryption: EncryptionKeys;
    },
  ) {
    const { orm, encryption } = kernel;
    this.#seal = encryption.sealFor('outbox');
    this.#sql = statements(Table.named(orm, OUTBOX_MAIL_ENTITY));
  }

  /** Stores a mail, and sends it when the transaction of `em` has committed. It is not retried after `expiresAt`. */
  async enqueue({ to, subject, text, html }: Mail, em: EntityManager, expiresAt: Date): Promise<void> {
    const now = new Date(this.kernel.clock.now());
    const id = randomUUID();
    const content = this.#seal.seal(JSON.stringify({ subject, text, html }), id);
    await this.kernel.database.query(this.#sql.insert, [id, to, content, now, expiresAt], em);
    this.kernel.database.afterCommit(em, () => this.#deliverSoon());
  }

  /**
   * Sets the function that runs a stored job (`BackgroundJobs`) again, after it has failed or its server has stopped.
   * The function deletes the job if it succeeds.
   */
  useJobRunner(runner: (id: string) => Promise<void>): void {
    this.#jobRunner = runner;
  }

  /** Searches for due mails every 30 seconds, until `stop`. Does not keep the process alive. */
  start(): void {
    this.#isStopped = false;
    this.#timer ??= setInterval(() => this.#poll(), POLL_INTERVAL_MS).unref();
  }

  /** Stops, and waits for calls of `deliver` that have begun. Other servers, or the next start, send later mails. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    this.#timer = undefined;
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Sends all due mails. @returns how many were sent @throws service_unavailable */
  deliver(): Promise<number> {
    const delivered = this.#deliver();
    const settled: Promise<unknown> = Promise.allSettled([delivered]).then(() => this.#running.delete(settled));
    this.#running.add(settled);
    return delivered;
  }

  async #deliver(): Promise<number> {
    let sent = 0;
    for (;;) {
      const now = new Date(this.kernel.clock.now());
      const claimed = await this.kernel.database.query<ClaimedMail>(this.#sql.claim, [
        now,
        MAX_PARALLEL,
        [...this.#undecryptable],
      ]);
      if (claimed.length === 0) return sent;
      // Waits for all, even if one fails, because `stop` promises that no mail is being sent any more.
      const results = await Promise.allSettled(claimed.map((mail) => this.#send(mail)));
      for (const result of results) {
        if (result.status === 'rejected') throw result.reason;
        sent += Number(result.value);
      }
    }
  }

  #poll(): void {
    this.kernel.database.unrefIdleConnections().then(
      () => this.#deliverSoon(),
      () => {},
    ); // idle connections must not keep the process alive either
  }

  #deliverSoon(): void {
    if (this.#isStopped) return;
    this.deliver().catch((error) => this.kernel.logger.warn({ error: nameOf(error) }, 'mails cannot be sent now'));
  }

  async #send({ id, to, content, attempts }: ClaimedMail): Promise<boolean> {
    const attempt = to === JOB_RECIPIENT ? this.#runJob(id) : this.#tryToSend(id, to, content);
    const outcome = await attempt.catch(async (error) => {
      // Neither the address nor the reply of the mail server, which may contain it, may be logged.
      const isFinal = isPermanentRejection(error);
      if (error instanceof UnsealError) this.#leaveToOthers(id);
      const failed = to === JOB_RECIPIENT ? 'a background job failed' : 'a mail could not be sent';
      this.kernel.logger.warn(
        { attempts, error: nameOf(error) },
        isFinal ? 'a mail was discarded: its recipient does not exist' : `${failed}; it will be retried`,
      );
      if (!isFinal) await this.kernel.database.query(this.#sql.postpone, [id, new Date(this.kernel.clock.now())]);
      return isFinal ? 'dropped' : 'waits';
    });
    if (outcome === 'sent' || outcome === 'dropped') await this.kernel.database.query(this.#sql.remove, [id]);
    return outcome === 'sent';
  }

  async #runJob(id: string): Promise<'done'> {
    await this.#jobRunner(id);
    return 'done';
  }

  #leaveToOthers(id: string): void {
    const [oldest] = this.#undecryptable;
    if (oldest !== undefined && this.#undecryptable.size >= MAX_UNDECRYPTABLE) this.#undecryptable.delete(oldest);
    this.#undecryptable.add(id);
  }

  async #tryToSend(id: string, to: string, content: string): Promise<'sent'> {
    const { subject, text, html } = JSON.parse(this.#seal.open(content, id)) as Omit<Mail, 'to'>;
    await this.kernel.mailer.send({ to, subject, text, html, messageId: `<${id}@jwt-allauth>` });
    return 'sent';
  }
}

function nameOf(error: unknown): string {
  const { code, responseCode, name } = (error ?? {}) as { code?: unknown; responseCode?: unknown; name?: unknown };
  return [code ?? name, responseCode].filter((part) => part !== undefined).join(' ');
}

function statements(mail: Table) {
  const c = (name: string) => mail.column(name);
  // Retries after 1, 5, 15 and 60 minutes, then every 3 hours. Never later than a third of the remaining lifetime, but
  // at least a minute from now.
  const wait = `coalesce((array[1, 5, 15, 60])[${c('attempts')}], 180) * interval '1 minute'`;
  const third = `greatest((${c('expiresAt')} - $2) / 3, interval '1 minute')`;
  return {
    insert: `
      insert into ${mail.name}
        (${c('id')}, ${c('recipient')}, ${c('content')}, ${c('attempts')}, ${c('nextAttemptAt')}, ${c('expiresAt')})
      values ($1, $2, $3, 0, $4, $5)`,
    claim: `
      with due as (
        select ${c('id')} from ${mail.name} where ${c('nextAttemptAt')} <= $1 and ${c('expiresAt')} > $1
          and ${c('id')} <> all($3::uuid[])
        order by ${c('nextAttemptAt')}, ${c('id')} limit $2 for update skip locked
      )
      update ${mail.name} m set ${c('attempts')} = m.${c('attempts')} + 1,
        ${c('nextAttemptAt')} = $1::timestamptz + interval '5 minutes'
      from due where m.${c('id')} = due.${c('id')}
      returning m.${c('id')} as "id", m.${c('recipient')} as "to", m.${c('content')} as "content",
        m.${c('attempts')} as "attempts"`,
    postpone: `
      update ${mail.name} set ${c('nextAttemptAt')} = $2::timestamptz + least(${wait}, ${third}) where ${c('id')} = $1`,
    remove: `delete from ${mail.name} where ${c('id')} = $1`,
  };
}
