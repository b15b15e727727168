/** Where every instant in this library comes from. Tests pass one that they can move to `createJwtAllauth`. */
export class Clock {
  /** The current instant, in milliseconds since the epoch. */
  now(): number {
    return Date.now();
  }
}

/** Whole seconds since the epoch, as a JWT counts time (NumericDate, RFC 7519 §2). */
export function toSeconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}
