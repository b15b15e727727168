import type { EntityManager } from '@mikro-orm/postgresql';
import type { JwtAllauthError } from '../error.js';
import { authError } from '../error-table.js';
import type { SessionService } from '../sessions/session.service.js';
import type { SessionEndings } from '../sessions/session-endings.js';
import type { SessionOwner } from '../sessions/session-store.js';
import type { Tokens } from '../tokens/tokens.js';
import type { PasswordOwner } from '../users/user.service.js';
import { isChallenge } from './challenge.js';
import type { SecondFactors } from './second-factors.js';
import type { SignInAttempt } from './sign-in-attempt.js';
import type { SignInCompletion } from './sign-in-completion.js';
import type { SignInGate } from './sign-in-gate.js';

/** The sign-in needs a second factor first. A refusal is thrown instead, so that the transaction is rolled back. */
interface Challenged {
  readonly challenge: JwtAllauthError;
}

/** The result of a sign-in: tokens or a challenge. */
export type SignInDecision = { readonly tokens: Tokens } | Challenged;

/** The result of `BegunSignIn.admit`: the user who may have a session with these `amr`, or a challenge. */
export type SignInAdmission = { readonly admitted: PasswordOwner; readonly amr: readonly string[] } | Challenged;

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
    private readonly kernel: {
      readonly sessions: SessionService;
      readonly sessionEndings: SessionEndings;
      readonly secondFactors: SecondFactors;
      readonly completions: ReadonlyMap<string, SignInCompletion>;
    },
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
   * @throws what `complete` throws, except a challenge; what the completion of the attempt throws
   */
  async decide(user: PasswordOwner, em: EntityManager | undefined = this.attempt.em): Promise<SignInDecision> {
    const passed = await this.#pass(user, em);
    if ('challenge' in passed) return passed;
    const { amr, authTime, client, claims } = this.attempt;
    const { owner, checked } = passed;
    return { tokens: await this.kernel.sessions.open(checked, { em, client, amr, authTime, claims, owner }) };
  }

  /**
   * Like `decide`, but opens no session: for a client that gets its session later, with a code. The caller stores the
   * credential epoch and the `amr` of the result, and later signs the user in with them.
   *
   * @param em the transaction that stores the code
   * @throws what `decide` throws
   */
  async admit(user: PasswordOwner, em: EntityManager): Promise<SignInAdmission> {
    const passed = await this.#pass(user, em);
    if ('challenge' in passed) return passed;
    const { owner, checked } = passed;
    const admitted = { ...checked, credentialEpoch: checked.credentialEpoch ?? owner.credentialEpoch };
    return { admitted, amr: this.attempt.amr };
  }

  async #pass(
    user: PasswordOwner,
    em: EntityManager | undefined,
  ): Promise<{ readonly owner: SessionOwner; readonly checked: PasswordOwner } | Challenged> {
    const { sessions, secondFactors } = this.kernel;
    const attempt = { ...this.attempt, user, em };
    try {
      for (const gate of this.gates) await gate.check(attempt);
      const owner = await sessions.ownerOf(user.id, em);
      await secondFactors.assertProved(attempt, owner);
      return attempt.completion ? await this.#doCompletion(attempt, owner) : { owner, checked: user };
    } catch (error) {
      if (isChallenge(error)) return { challenge: error };
      throw error;
    }
  }

  /** Runs the module's work. The work may raise the credential epoch, so the epoch of the user is compared before. */
  async #doCompletion({ user, em, completion }: SignInAttempt, { credentialEpoch }: SessionOwner) {
    const complete = completion && this.kernel.completions.get(completion.name);
    if (!em || !complete)
      throw new TypeError('a completion needs a transaction, and a module of this app that does it');
    await this.kernel.sessionEndings.lockUser(user.id, em);
    const owner = await this.kernel.sessions.ownerOf(user.id, em);
    if (owner.credentialEpoch !== (user.credentialEpoch ?? credentialEpoch)) throw authError('incorrect_credentials');
    await complete(user.id, completion.data, em);
    const changed = await this.kernel.sessions.ownerOf(user.id, em);
    return { owner: changed, checked: { ...user, credentialEpoch: undefined } };
  }
}
