import { setTimeout } from 'node:timers/promises';
import type { Clock } from '../clock.js';
import type { TableSweep } from './table-sweep.js';

/** A purge pauses this many times as long as its last statement took. So it uses the database a tenth of the time. */
const PAUSE_FACTOR = 9;

/** Options of `PurgeService.run`. */
export interface PurgeOptions {
  /** True: counts the rows and deletes nothing. */
  readonly dryRun?: boolean;
  /** Maximum number of rows that one statement deletes. Default: 1000. */
  readonly batchSize?: number;
  /** Waits between two statements, for a number of milliseconds. Default: a timer. */
  readonly pause?: (milliseconds: number) => Promise<unknown>;
  /** Called after each statement with the counts so far. */
  readonly onProgress?: (soFar: PurgeResult) => void;
}

/**
 * How many rows a purge has deleted, or would delete, by table: expired `sessions`, `revocations` of sessions whose
 * access tokens have all expired, `counters` of rate limits, `oneTimeKeys` of mailed links and codes, unsent `mails`,
 * unconfirmed `signUps`, `challenges` of sign-ins that wait for a second factor, and the tables of modules.
 */
export interface PurgeResult {
  readonly sessions: number;
  readonly revocations: number;
  readonly counters: number;
  readonly oneTimeKeys: number;
  readonly mails: number;
  readonly signUps: number;
  readonly [name: string]: number;
}

/** Deletes expired rows to free disk space. The library never uses expired rows, deleted or not. */
export class PurgeService {
  constructor(
    protected readonly kernel: {
      /** What is deleted, by the name that `PurgeResult` has for it. */
      readonly sweeps: Readonly<Record<string, TableSweep>>;
      readonly clock: Clock;
    },
  ) {}

  /**
   * Deletes the rows that have expired by now. Call it from a scheduler; once a day is enough. It can run in parallel
   * with requests and with other purges: its statements are short, skip locked rows, and are followed by pauses.
   *
   * @returns how many rows it has deleted (with `dryRun`: would delete), by table
   * @throws RangeError unless `batchSize` is a whole number, at least 1
   * @throws service_unavailable, after which you can call it again
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
    const sweeps = Object.entries(this.kernel.sweeps);
    const result: Record<string, number> = Object.fromEntries(sweeps.map(([name]) => [name, 0]));
    for (const [name, sweep] of sweeps) {
      if (dryRun) {
        result[name] = await sweep.count(now);
        continue;
      }
      let began = performance.now();
      for await (const count of sweep.delete(now, batchSize)) {
        const took = performance.now() - began;
        result[name] = (result[name] ?? 0) + count;
        onProgress?.({ ...result } as PurgeResult);
        await pause(took * PAUSE_FACTOR);
        began = performance.now();
      }
    }
    return result as PurgeResult;
  }
}
