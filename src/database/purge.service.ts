import { setTimeout } from 'node:timers/promises';
import type { Clock } from '../clock.js';
import type { TableSweep } from './table-sweep.js';

/** A purge rests this many times as long as its last statement took: it loads the database a tenth of the time. */
const PAUSE_FACTOR = 9;

/** How a purge is done. */
export interface PurgeOptions {
  /** True: nothing is deleted, only counted. */
  readonly dryRun?: boolean;
  /** Rows that one statement deletes at most. Default: 1000. */
  readonly batchSize?: number;
  /** Waits between two statements, for so many milliseconds. Default: a timer. */
  readonly pause?: (milliseconds: number) => Promise<unknown>;
  /** Called after each statement with the counts so far. */
  readonly onProgress?: (soFar: PurgeResult) => void;
}

/**
 * How many rows a purge has deleted, or would delete: `sessions` and `revocations` that no token needs any more,
 * `counters` under limits, `oneTimeKeys` of mailed links, `mails` that were not sent in time, `signUps` that were not
 * confirmed in time, and what modules of the app add.
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

/** Deletes what has expired. Nothing needs it but the disk: what has expired is never believed. */
export class PurgeService {
  constructor(
    protected readonly kernel: {
      /** What is deleted, by what it is. */
      readonly sweeps: Readonly<Record<string, TableSweep>>;
      readonly clock: Clock;
    },
  ) {}

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
