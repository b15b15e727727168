import type { Clock } from '../clock.js';

/**
 * Parts of the time for which an entry is kept: an entry goes together with its part, so at most this much too late.
 */
const PARTS = 4;

/**
 * The sessions that were ended lately, in memory: a look-up in a few sets, a million entries in less than 100 MB.
 * Entries go by themselves once no access token of their session can be good any more.
 */
export class RevocationList {
  /** Sessions by the part of time in which they were ended. */
  readonly #parts: { readonly part: number; readonly sessions: Set<string> }[] = [];
  readonly #partLength: number;

  /** @param lifetime milliseconds for which an entry matters */
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
      if (this.#parts[index]?.sessions.has(session)) return true; // asked at every request: no iterator
    }
    return false;
  }

  get size(): number {
    return this.#parts.reduce((sum, { sessions }) => sum + sessions.size, 0);
  }

  /** Forgets what does not matter any more. */
  expire(): void {
    const oldest = Math.floor((this.clock.now() - this.lifetime) / this.#partLength);
    const kept = this.#parts.filter(({ part }) => part >= oldest);
    if (kept.length < this.#parts.length) this.#parts.splice(0, this.#parts.length, ...kept);
  }
}
