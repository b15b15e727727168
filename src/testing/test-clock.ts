import { Clock } from '../clock.js';
import { parseDuration } from '../settings/duration.js';

/** A clock that stands still until it is moved. It begins at the current second; `Date.now()` goes on beside it. */
export class TestClock extends Clock {
  #now = Math.floor(Date.now() / 1000) * 1000;

  override now(): number {
    return this.#now;
  }

  /**
   * Moves on by so many seconds, or by a duration as the settings have them: `30s`, `15m`, `12h`, `14d`.
   *
   * @throws TypeError for anything else
   */
  advance(by: number | string): void {
    const seconds = parseDuration(by);
    if (!Number.isFinite(seconds)) throw new TypeError('the clock is moved by seconds, or by a duration such as 15m');
    this.#now += (seconds as number) * 1000;
  }

  /** Moves to an instant. @throws TypeError when it is none */
  set(instant: Date): void {
    if (Number.isNaN(instant.getTime())) throw new TypeError('the clock is set to a valid date');
    this.#now = instant.getTime();
  }
}
