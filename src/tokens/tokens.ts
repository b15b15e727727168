import { inspect } from 'node:util';

/** What a client is given: an access token and a refresh token. Whoever prints it sees neither. */
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
