import type { Clock } from '../clock.js';

/** Milliseconds within which a subject is warned of once. */
const WINDOW_MS = 60_000;

/** Subjects within a window. */
const MAX_SUBJECTS = 20;

/** Bounds warnings that strangers cause, so that nobody can fill the log: one a minute for each of 20 subjects. */
export class WarningLimit {
  readonly #seen = new Set<string>();
  #windowStart = -Infinity;
  #omitted = 0;

  constructor(private readonly clock: Clock) {}

  /** Whether to warn of a subject now, and how many warnings were left out since the last one; undefined: not now. */
  admit(subject: string): { readonly omitted?: number } | undefined {
    const now = this.clock.now();
    if (now >= this.#windowStart + WINDOW_MS) {
      this.#windowStart = now;
      this.#seen.clear();
    }
    if (this.#seen.has(subject) || this.#seen.size >= MAX_SUBJECTS) {
      this.#omitted++;
      return undefined;
    }
    this.#seen.add(subject);
    const omitted = this.#omitted;
    this.#omitted = 0;
    return omitted > 0 ? { omitted } : {};
  }
}
