import type { Clock } from '../clock.js';

/**
 * Number of intervals into which the retention time is divided. Entries of the same interval are removed together, so
 * an entry is kept for at most one interval too long.
 */
const INTERVALS = 4;

/**
 * The recently ended sessions, in memory. A look-up checks a few sets; a million entries take less than 100 MB.
 * `expire` removes entries when all access tokens of their session have expired.
 */
export class RevocationList {
  /** Sessions by the interval in which they were ended. */
  readonly #intervals: { readonly interval: number; readonly sessions: Set<string> }[] = [];
  readonly #intervalMs: number;

  /** @param lifetime retention time of an entry, in milliseconds */
  constructor(
    private readonly lifetime: number,
    private readonly clock: Clock,
  ) {
    this.#intervalMs = lifetime / INTERVALS;
  }

  /** @param at when the session was ended, in milliseconds since the epoch */
  add(session: string, at: number): void {
    const interval = Math.floor(at / this.#intervalMs);
    const known = this.#intervals.find((one) => one.interval === interval);
    if (known) known.sessions.add(session);
    else this.#intervals.push({ interval, sessions: new Set([session]) });
  }

  has(session: string): boolean {
    for (let index = 0; index < this.#intervals.length; index++) {
      if (this.#intervals[index]?.sessions.has(session)) return true; // no iterator: this runs at every request
    }
    return false;
  }

  get size(): number {
    return this.#intervals.reduce((sum, { sessions }) => sum + sessions.size, 0);
  }

  /** Removes the entries whose retention time is over. */
  expire(): void {
    const oldest = Math.floor((this.clock.now() - this.lifetime) / this.#intervalMs);
    const kept = this.#intervals.filter(({ interval }) => interval >= oldest);
    if (kept.length < this.#intervals.length) this.#intervals.splice(0, this.#intervals.length, ...kept);
  }
}
