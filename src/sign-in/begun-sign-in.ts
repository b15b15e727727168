import type { EntityManager } from '@mikro-orm/postgresql';
import type { JwtAllauthError } from '../error.js';
import type { SessionService } from '../sessions/session.service.js';
import type { Tokens } from '../tokens/tokens.js';
import type { PasswordOwner } from '../users/user.service.js';
import { isChallenge } from './challenge.js';
import type { SignInAttempt } from './sign-in-attempt.js';
import type { SignInGate } from './sign-in-gate.js';

/** What a sign-in comes to. A refusal is neither: it is thrown, and undoes what was written with it. */
export type SignInDecision = { readonly tokens: Tokens } | { readonly challenge: JwtAllauthError };

/** The tokens of a decision. @throws the challenge, where it is one */
export function tokensOf(decision: SignInDecision): Tokens {
  if ('challenge' in decision) throw decision.challenge;
  return decision.tokens;
}

/** A sign-in that the door has let begin. It passes the gates before a session is opened. */
export class BegunSignIn {
  constructor(
    private readonly attempt: Omit<SignInAttempt, 'user'>,
    private readonly gates: readonly SignInGate[],
    private readonly sessions: SessionService,
  ) {}

  /**
   * Passes the gates and opens the session.
   *
   * @param user the user as they are now, with the password hash that counts from now on
   * @throws what a gate throws, a challenge included; incorrect_credentials when the user was deactivated or got
   * another password meanwhile
   */
  async complete(user: PasswordOwner): Promise<Tokens> {
    return tokensOf(await this.decide(user));
  }

  /**
   * `complete` for a transaction that must commit although a second factor is missing: a challenge is returned and not
   * thrown. The caller throws it after the commit, by `tokensOf`.
   *
   * @throws what `complete` throws, except a challenge
   */
  async decide(user: PasswordOwner, em: EntityManager | undefined = this.attempt.em): Promise<SignInDecision> {
    const attempt = { ...this.attempt, user, em };
    try {
      for (const gate of this.gates) await gate.check(attempt);
    } catch (error) {
      if (isChallenge(error)) return { challenge: error };
      throw error;
    }
    const { amr, authTime, client, claims } = attempt;
    return { tokens: await this.sessions.open(user, { em, client, amr, authTime, claims }) };
  }
}
