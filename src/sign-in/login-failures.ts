import { ErrorCode, JwtAllauthError } from '../error.js';
import type { Journal } from '../observability/journal.js';
import type { SessionClient } from '../sessions/client-device.js';
import { clientAddress } from '../sessions/client-network.js';

/** Errors that are emitted as events but not stored in the audit log, because their number is not limited. */
const EMITTED_ONLY: readonly string[] = [
  ErrorCode.NoActiveAccount,
  ErrorCode.EmailNotVerified,
  ErrorCode.TooManyRequests,
];

/** Records refused sign-ins and refused passwords as `login.failed`: `incorrect_credentials` and EMITTED_ONLY. */
export class LoginFailures {
  constructor(private readonly journal: Journal) {}

  /**
   * Runs an attempt, and records a failure if it throws one of these errors. As soon as the attempt knows the user, it
   * calls `setUser` with the user's key, for the event.
   */
  async watch<T>({ ip }: SessionClient, attempt: (setUser: (user: string) => void) => Promise<T>): Promise<T> {
    let user: string | undefined;
    try {
      return await attempt((id) => {
        user = id;
      });
    } catch (error) {
      if (error instanceof JwtAllauthError) await this.#record(error.code, ip, user);
      throw error;
    }
  }

  async #record(code: string, ip: string | undefined, user: string | undefined): Promise<void> {
    const failure = ['login.failed', { code, user, ip: clientAddress(ip) }] as const;
    if (code === ErrorCode.IncorrectCredentials) await this.journal.record([failure]);
    else if (EMITTED_ONLY.includes(code)) this.journal.emit(failure);
  }
}
