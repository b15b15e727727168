import type { Clock } from '../clock.js';

/** Within this time, a subject causes at most one warning. */
const WINDOW_MS = 60_000;

/** Maximum number of subjects that cause a warning in this time. */
const MAX_SUBJECTS = 20;

/** Limits warnings that strangers can cause, so that they cannot fill the log: one a minute for each of 20 subjects. */
export class WarningLimit {
  readonly #seen = new Set<string>();
  #windowStart = -Infinity;
  #omitted = 0;

  constructor(private readonly clock: Clock) {}

  /**
   * Whether to log a warning about a subject now. Undefined: no. Otherwise an object, with the number of warnings that
   * were omitted since the last one.
   */
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
