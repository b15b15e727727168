import { setTimeout } from 'node:timers/promises';
import type { Logger } from '../observability/logger.js';

/** Milliseconds in which the answer goes out, undisturbed. */
const REST = 20;

/**
 * Work that goes on after the answer, where the time to the answer would tell whether an address is known. What fails is
 * logged: the client can ask again.
 */
export class DeferredWork {
  readonly #running = new Set<Promise<void>>();

  constructor(private readonly logger: Logger) {}

  /** Starts the work without waiting for it. */
  start(name: string, work: () => Promise<unknown>): void {
    const running = this.#run(name, work).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Resolves when everything that was started is done. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #run(name: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await setTimeout(REST);
      await work();
    } catch (error) {
      this.logger.error(
        { work: name, error: error instanceof Error ? error.name : typeof error },
        'deferred work failed',
      );
    }
  }
}
