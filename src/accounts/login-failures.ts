import { ErrorCode, JwtAllauthError } from '../error.js';
import type { Journal } from '../observability/journal.js';
import type { SessionClient } from '../sessions/client-device.js';

/** Refusals that are written to the audit log: the login limit bounds how many there are. */
const WRITTEN: readonly string[] = [ErrorCode.IncorrectCredentials, ErrorCode.NoActiveAccount];

/** Tells of the passwords that were refused. */
export class LoginFailures {
  constructor(private readonly journal: Journal) {}

  /** The outcome of an attempt, which is recorded if it was refused. `userOf` tells whose account it was, once that is known. */
  async watch<T>(attempt: Promise<T>, { ip }: SessionClient, userOf: () => string | undefined): Promise<T> {
    try {
      return await attempt;
    } catch (error) {
      if (error instanceof JwtAllauthError) await this.#record(error.code, ip, userOf());
      throw error;
    }
  }

  async #record(code: string, ip: string | undefined, user: string | undefined): Promise<void> {
    const failure = ['login.failed', { code, user, ip }] as const;
    if (WRITTEN.includes(code)) await this.journal.record([failure]);
    else if (code === ErrorCode.TooManyRequests) this.journal.tell(failure);
  }
}
