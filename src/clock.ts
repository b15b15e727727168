/** The source of the current time for the whole library. Tests pass a clock that they control to `createJwtAllauth`. */
export class Clock {
  /** The current instant, in milliseconds since the epoch. */
  now(): number {
    return Date.now();
  }
}

/** Converts milliseconds since the epoch to whole seconds, the unit of time in a JWT (NumericDate, RFC 7519 §2). */
export function toSeconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}
