import { setTimeout } from 'node:timers/promises';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import { TableSweep } from '../database/table-sweep.js';
import { COUNTER_ENTITY } from '../limits/counter.entity.js';
import { OUTBOX_MAIL_ENTITY } from '../mail/outbox-mail.entity.js';
import { sweepOfRevocations, sweepOfSessions } from '../sessions/session-purge.js';
import type { Settings } from '../settings/settings.js';
import { ONE_TIME_KEY_ENTITY } from '../tokens/one-time-key.entity.js';
import { PENDING_SIGN_UP_ENTITY } from './pending-sign-up.entity.js';

/** How much longer than a statement takes is waited after it: a purge may load the database for a tenth of the time. */
const REST = 9;

/** How a purge is done. */
export interface PurgeOptions {
  /** True: nothing is deleted, only counted. */
  readonly dryRun?: boolean;
  /** Rows that one statement deletes at most. Default: 1000. */
  readonly batchSize?: number;
  /** Waits between two statements, for so many milliseconds. Default: a timer. */
  readonly pause?: (milliseconds: number) => Promise<unknown>;
  /** Told after each statement what was deleted so far. */
  readonly onProgress?: (soFar: PurgeResult) => void;
}

/** How many rows a purge has deleted, or would delete. */
export interface PurgeResult {
  /** Expired sessions. */
  readonly sessions: number;
  /** Revocations of sessions of which every access token has expired. */
  readonly revocations: number;
  /**
   * Counters of failed logins, of mails and of tries of their keys, and addresses where owners were seen, whose time is
   * over.
   */
  readonly counters: number;
  /** Keys of mailed links that have expired, but for those of invitations that were never accepted. */
  readonly oneTimeKeys: number;
  /** Mails that could not be sent in time. */
  readonly mails: number;
  /** Sign-ups that were not confirmed in time. */
  readonly signUps: number;
}

/** Deletes what has expired. Nothing needs it but the disk: what has expired is never believed. */
export class PurgeService {
  readonly #sweeps: Readonly<Record<keyof PurgeResult, TableSweep>>;

  constructor(
    protected readonly kernel: {
      readonly database: Database;
      readonly orm: MikroORM;
      readonly settings: Settings;
      readonly clock: Clock;
    },
  ) {
    const { database, orm, settings } = kernel;
    const key = Table.named(orm, ONE_TIME_KEY_ENTITY);
    // By these it is known for good that nobody has ever used the account.
    const marksUnaccepted = `${key.column('purpose')} = 'invitation'`;
    this.#sweeps = {
      sessions: sweepOfSessions(database, orm, settings),
      revocations: sweepOfRevocations(database, orm, settings),
      counters: new TableSweep(database, Table.named(orm, COUNTER_ENTITY), { since: 'resetsAt' }),
      oneTimeKeys: new TableSweep(database, key, { since: 'expiresAt', unless: marksUnaccepted }),
      mails: new TableSweep(database, Table.named(orm, OUTBOX_MAIL_ENTITY), { since: 'expiresAt' }),
      signUps: new TableSweep(database, Table.named(orm, PENDING_SIGN_UP_ENTITY), { since: 'expiresAt' }),
    };
  }

  /**
   * Deletes what has expired when it is called, to be called from a scheduler: once a day is often enough. It may run
   * beside requests and beside itself: its statements are short, it waits for nobody's lock, and most of the time it
   * rests.
   *
   * @throws RangeError for a batch of no rows; service_unavailable, after which it can be called again
   */
  async run({
    dryRun = false,
    batchSize = 1000,
    pause = setTimeout,
    onProgress,
  }: PurgeOptions = {}): Promise<PurgeResult> {
    if (!Number.isSafeInteger(batchSize) || batchSize < 1)
      throw new RangeError('batchSize must be a whole number, at least 1');
    const now = new Date(this.kernel.clock.now());
    const result = { sessions: 0, revocations: 0, counters: 0, oneTimeKeys: 0, mails: 0, signUps: 0 };
    for (const name of Object.keys(result) as (keyof PurgeResult)[]) {
      const sweep = this.#sweeps[name];
      if (dryRun) {
        result[name] = await sweep.count(now);
        continue;
      }
      let began = performance.now();
      for await (const count of sweep.delete(now, batchSize)) {
        const took = performance.now() - began;
        result[name] += count;
        onProgress?.({ ...result });
        await pause(took * REST);
        began = performance.now();
      }
    }
    return result;
  }
}
