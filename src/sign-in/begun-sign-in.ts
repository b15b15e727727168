import type { EntityManager } from '@mikro-orm/postgresql';
import type { JwtAllauthError } from '../error.js';
import type { SessionService } from '../sessions/session.service.js';
import type { SessionOwner } from '../sessions/session-store.js';
import type { Tokens } from '../tokens/tokens.js';
import type { PasswordOwner } from '../users/user.service.js';
import { isChallenge } from './challenge.js';
import type { SecondFactors } from './second-factors.js';
import type { SignInAttempt } from './sign-in-attempt.js';
import type { SignInGate } from './sign-in-gate.js';

/**
 * The result of a sign-in: tokens or a challenge. A refusal is thrown instead, so that the transaction is rolled back.
 */
export type SignInDecision = { readonly tokens: Tokens } | { readonly challenge: JwtAllauthError };

/** The tokens of a decision. @throws the challenge, if it is one */
export function tokensOf(decision: SignInDecision): Tokens {
  if ('challenge' in decision) throw decision.challenge;
  return decision.tokens;
}

/** A sign-in after its first half (`SignInService.begin`). It must still pass the gates before a session is opened. */
export class BegunSignIn {
  constructor(
    private readonly attempt: Omit<SignInAttempt, 'user'>,
    private readonly gates: readonly SignInGate[],
    private readonly kernel: { readonly sessions: SessionService; readonly secondFactors: SecondFactors },
  ) {}

  /**
   * Passes the gates, asks for a second factor if one is missing, and opens the session.
   *
   * @param user the current state of the user, with the current password hash
   * @throws what a gate throws; second_factor_required (the challenge); incorrect_credentials if the user was
   * deactivated or the credentials have changed meanwhile
   */
  async complete(user: PasswordOwner): Promise<Tokens> {
    return tokensOf(await this.decide(user));
  }

  /**
   * Like `complete`, but returns a challenge instead of throwing it, for a transaction that must commit although the
   * second factor is missing. After the commit, the caller throws the challenge with `tokensOf`.
   *
   * @throws what `complete` throws, except a challenge
   */
  async decide(user: PasswordOwner, em: EntityManager | undefined = this.attempt.em): Promise<SignInDecision> {
    const { sessions, secondFactors } = this.kernel;
    const attempt = { ...this.attempt, user, em };
    let owner: SessionOwner;
    try {
      for (const gate of this.gates) await gate.check(attempt);
      owner = await sessions.ownerOf(user.id, em);
      await secondFactors.assertProved(attempt, owner);
    } catch (error) {
      if (isChallenge(error)) return { challenge: error };
      throw error;
    }
    const { amr, authTime, client, claims } = attempt;
    return { tokens: await sessions.open(user, { em, client, amr, authTime, claims, owner }) };
  }
}
