import { Clock } from '../clock.js';
import { parseDuration } from '../settings/duration.js';

/** A clock that stands still until it is moved. It starts at the current second and does not change `Date.now()`. */
export class TestClock extends Clock {
  #now = Math.floor(Date.now() / 1000) * 1000;

  override now(): number {
    return this.#now;
  }

  /**
   * Moves the clock forward by a number of seconds, or by a duration as in the settings: `30s`, `15m`, `12h`, `14d`.
   *
   * @throws TypeError for any other value
   */
  advance(by: number | string): void {
    const seconds = parseDuration(by);
    if (!Number.isFinite(seconds)) throw new TypeError('advance() needs seconds or a duration such as 15m');
    this.#now += (seconds as number) * 1000;
  }

  /** Sets the clock. @throws TypeError for an invalid date */
  set(instant: Date): void {
    if (Number.isNaN(instant.getTime())) throw new TypeError('set() needs a valid date');
    this.#now = instant.getTime();
  }
}
