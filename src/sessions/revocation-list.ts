import type { Clock } from '../clock.js';

/** Parts of the time for which an entry is kept: an entry goes together with its part, so at most this much too late. */
const PARTS = 4;

/**
 * The sessions that were ended lately, in memory: a look-up in a few sets, a million entries in less than 100 MB. Entries go
 * by themselves once no access token of their session can be good any more.
 */
export class RevocationList {
  /** Sessions by the part of time in which they were ended. */
  readonly #parts = new Map<number, Set<string>>();
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
    const sessions = this.#parts.get(part);
    if (sessions) sessions.add(session);
    else this.#parts.set(part, new Set([session]));
  }

  has(session: string): boolean {
    for (const sessions of this.#parts.values()) if (sessions.has(session)) return true;
    return false;
  }

  get size(): number {
    return [...this.#parts.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Forgets what does not matter any more. */
  expire(): void {
    const oldest = Math.floor((this.clock.now() - this.lifetime) / this.#partLength);
    for (const part of this.#parts.keys()) if (part < oldest) this.#parts.delete(part);
  }
}
