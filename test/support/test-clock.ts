import { Clock } from '../../src/index.js';

/** A clock that stands still until it is moved. */
export class TestClock extends Clock {
  #now = Math.floor(Date.now() / 1000) * 1000;

  override now(): number {
    return this.#now;
  }

  /** Moves on by so many seconds. */
  advance(seconds: number): void {
    this.#now += seconds * 1000;
  }
}
