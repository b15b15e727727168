import type { Clock } from '../clock.js';

/**
 * Number of intervals into which the retention time is divided. Entries of the same interval are removed together, so
 * an entry is kept for at most one interval too long.
 */
const PARTS = 4;

/**
 * The recently ended sessions, in memory. A look-up checks a few sets; a million entries take less than 100 MB.
 * `expire` removes entries when all access tokens of their session have expired.
 */
export class RevocationList {
  /** Sessions by the interval in which they were ended. */
  readonly #parts: { readonly part: number; readonly sessions: Set<string> }[] = [];
  readonly #partLength: number;

  /** @param lifetime retention time of an entry, in milliseconds */
  constructor(
    private readonly lifetime: number,
    private readonly clock: Clock,
  ) {
    this.#partLength = lifetime / PARTS;
  }

  /** @param at when the session was ended, in milliseconds since the epoch */
  add(session: string, at: number): void {
    const part = Math.floor(at / this.#partLength);
    const known = this.#parts.find((one) => one.part === part);
    if (known) known.sessions.add(session);
    else this.#parts.push({ part, sessions: new Set([session]) });
  }

  has(session: string): boolean {
    for (let index = 0; index < this.#parts.length; index++) {
      if (this.#parts[index]?.sessions.has(session)) return true; // no iterator: this runs at every request
    }
    return false;
  }

  get size(): number {
    return this.#parts.reduce((sum, { sessions }) => sum + sessions.size, 0);
  }

  /** Removes the entries whose retention time is over. */
  expire(): void {
    const oldest = Math.floor((this.clock.now() - this.lifetime) / this.#partLength);
    const kept = this.#parts.filter(({ part }) => part >= oldest);
    if (kept.length < this.#parts.length) this.#parts.splice(0, this.#parts.length, ...kept);
  }
}
