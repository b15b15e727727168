import { inspect } from 'node:util';

/** An access token and a refresh token. `util.inspect` and `console.log` hide both. */
export class Tokens {
  /** When the refresh token expires, in seconds since the epoch. */
  readonly refreshExpiresAt: number;
  /** Whether the session is bound to a key of the client (RFC 9449). */
  readonly isBound: boolean;

  constructor(
    readonly access: string,
    readonly refresh: string,
    { refreshExpiresAt, isBound }: Pick<Tokens, 'refreshExpiresAt' | 'isBound'>,
  ) {
    this.refreshExpiresAt = refreshExpiresAt;
    this.isBound = isBound;
  }

  [inspect.custom](): string {
    return 'Tokens { [redacted] }';
  }
}
