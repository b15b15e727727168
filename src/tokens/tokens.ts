import { inspect } from 'node:util';

/** An access token and a refresh token. `util.inspect` and `console.log` hide both. */
export class Tokens {
  constructor(
    readonly access: string,
    readonly refresh: string,
    /** When the refresh token expires, in seconds since the epoch. */
    readonly refreshExpiresAt: number,
  ) {}

  [inspect.custom](): string {
    return 'Tokens { [redacted] }';
  }
}
