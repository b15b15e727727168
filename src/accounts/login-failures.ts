import { ErrorCode, JwtAllauthError } from '../error.js';
import type { Journal } from '../observability/journal.js';
import { addressOf, type SessionClient } from '../sessions/client-device.js';

/** Refusals that are only told: no limit bounds how many there are. */
const TOLD: readonly string[] = [ErrorCode.NoActiveAccount, ErrorCode.TooManyRequests];

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
    const failure = ['login.failed', { code, user, ip: addressOf(ip) ?? undefined }] as const;
    if (code === ErrorCode.IncorrectCredentials) await this.journal.record([failure]);
    else if (TOLD.includes(code)) this.journal.tell(failure);
  }
}
