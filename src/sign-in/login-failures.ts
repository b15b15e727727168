import { ErrorCode, JwtAllauthError } from '../error.js';
import type { Journal } from '../observability/journal.js';
import type { SessionClient } from '../sessions/client-device.js';
import { clientAddress } from '../sessions/client-network.js';

/** Refusals that are emitted and not written to the audit log: no limit bounds how many there are. */
const EMITTED_ONLY: readonly string[] = [
  ErrorCode.NoActiveAccount,
  ErrorCode.EmailNotVerified,
  ErrorCode.TooManyRequests,
];

/** Records sign-ins and passwords that were refused. */
export class LoginFailures {
  constructor(private readonly journal: Journal) {}

  /**
   * Makes an attempt and records it if it is refused. The attempt tells whose account it is about as soon as it knows.
   */
  async watch<T>({ ip }: SessionClient, attempt: (isAbout: (user: string) => void) => Promise<T>): Promise<T> {
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
