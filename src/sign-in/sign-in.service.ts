import type { EntityManager } from '@mikro-orm/postgresql';
import type { Database } from '../database/database.js';
import { authError } from '../error-table.js';
import type { AuthHooks } from '../sessions/auth-hooks.js';
import type { SessionClient } from '../sessions/client-device.js';
import type { SessionService } from '../sessions/session.service.js';
import type { SessionEndings } from '../sessions/session-endings.js';
import type { Settings } from '../settings/settings.js';
import { requestClientOf } from '../tokens/session-context.js';
import type { Tokens } from '../tokens/tokens.js';
import type { BaseUser, UserId } from '../users/base-user.entity.js';
import type { PasswordOwner, UserService } from '../users/user.service.js';
import { ActivityGate } from './activity-gate.js';
import { BegunSignIn, tokensOf } from './begun-sign-in.js';
import type { Challenges } from './challenges.js';
import { isRefusal } from './refusal.js';
import type { SecondFactorProof } from './second-factor.js';
import type { SecondFactors } from './second-factors.js';
import type { AppSignIn, SignInAttempt } from './sign-in-attempt.js';
import type { CompletionOrder, SignInCompletion } from './sign-in-completion.js';
import type { SignInGate } from './sign-in-gate.js';
import { VerifiedAddressGate } from './verified-address-gate.js';

/**
 * Opens sessions for authenticated users. All ways to sign in use this service. The result is tokens, a challenge or a
 * refusal. The order of checks: user is active, address is confirmed, the app's `beforeSignIn`, the gates of modules,
 * the second factor. Last comes the statement that inserts the session, which compares password hash, credential epoch
 * and activity again.
 */
export class SignInService {
  readonly #ownGates: readonly SignInGate[];
  readonly #addedGates: SignInGate[] = [];
  readonly #completions = new Map<string, SignInCompletion>();

  constructor(
    protected readonly kernel: {
      readonly database: Database;
      readonly sessions: SessionService;
      readonly users: UserService;
      readonly settings: Settings;
      readonly hooks: AuthHooks;
      readonly sessionEndings: SessionEndings;
      readonly challenges: Challenges;
      readonly secondFactors: SecondFactors;
    },
  ) {
    this.#ownGates = [new ActivityGate(), new VerifiedAddressGate(kernel.settings)];
  }

  /** Adds a gate after the existing ones. Call it only during start-up. */
  addGate(gate: SignInGate): void {
    this.#addedGates.push(gate);
  }

  /**
   * Adds work of a module (`SignInAttempt.completion`). Call it only during start-up.
   *
   * @throws TypeError if there is one of this name
   */
  addCompletion(name: string, completion: SignInCompletion): void {
    if (this.#completions.has(name)) throw new TypeError(`the completion ${name} exists already`);
    this.#completions.set(name, completion);
  }

  /**
   * Does the work of a module for the new user of a confirmed sign-up (`PendingSignUp.completion`), in the transaction
   * that inserts the user. Does nothing if the app does not have the module any more.
   *
   * @throws what the work throws
   */
  async completeSignUp(user: UserId, { name, data }: CompletionOrder, em: EntityManager): Promise<void> {
    await this.#completions.get(name)?.(user, data, em);
  }

  /**
   * Signs in a user who has just authenticated.
   *
   * @throws no_active_account, email_not_verified, second_factor_required, and what a hook or a gate throws;
   * incorrect_credentials if the user was deactivated or the credentials have changed meanwhile
   */
  async signIn(attempt: SignInAttempt): Promise<Tokens> {
    return (await this.begin(attempt)).complete(attempt.user);
  }

  /**
   * Signs in a user whom the app itself has authenticated. Passes all gates, like any other sign-in.
   *
   * @param user the user. If the password hash was loaded, it must not have changed
   * @throws what `signIn` throws; no_active_account also if there is no such user
   */
  async signInByApp(
    { id, passwordHash }: Pick<PasswordOwner, 'id' | 'passwordHash'>,
    { method, client, claims, em }: AppSignIn,
  ): Promise<Tokens> {
    const account = await this.kernel.users.findById(id, em);
    if (!account) throw authError('no_active_account');
    const amr = [method].flat().map(String);
    if (amr.includes('mfa'))
      throw new TypeError('signIn: the method mfa comes from the second factors of modules only');
    return this.signIn({ user: { ...account, passwordHash }, amr, client, claims, em });
  }

  /**
   * Continues a sign-in that was answered with a challenge. The attempt is counted before the proof is checked. One
   * transaction uses up challenge and proof and opens the session. So only one of two parallel right answers opens one.
   * If the app has `beforeSignIn`, the proof is first checked in a transaction that is rolled back: the hook runs only
   * after a right answer.
   *
   * @throws challenge_not_valid, too_many_requests, and what `proof.verify`, a hook or a gate throws
   */
  async answer(challenge: string, proof: SecondFactorProof, client: SessionClient): Promise<Tokens> {
    const { challenges, secondFactors } = this.kernel;
    const { user, methods, amr, claims, completion } = await challenges.find(challenge);
    if (!methods.includes(proof.method)) throw authError('challenge_not_valid');
    const attempt = { user, amr: [...new Set([...amr, ...proof.amr])], client, claims, completion };
    let refusalOfProof: unknown;
    const useUp = async (em: EntityManager) => {
      await this.kernel.sessionEndings.lockUser(user.id, em);
      const { user: current } = await challenges.claim(challenge, em);
      await proof.verify(user.id, em).catch((error: unknown) => {
        refusalOfProof = error;
        throw error;
      });
      return current;
    };
    const answer = async () => {
      await this.#passOwnGates(attempt);
      // The hook gets only users who have proved their second factor, and must run without a lock.
      if (this.kernel.hooks.beforeSignIn) await this.kernel.database.rehearse(useUp);
      const signIn = await this.#begin(attempt, () => this.#read(attempt));
      return this.kernel.database.transaction(async (em) => {
        const current = await useUp(em);
        // The proof may have raised the credential epoch. The lock excludes every other change.
        return signIn.decide({ ...current, credentialEpoch: undefined }, em);
      });
    };
    // The refusal of a hook or gate, and a parallel right answer, do not count as wrong answers.
    const isWrong = (error: unknown) => error === refusalOfProof && isRefusal(error);
    const check = () => challenges.attempt(challenge, answer, isWrong);
    return tokensOf(await secondFactors.attempt(user.id, check, isWrong));
  }

  /**
   * The first half of a sign-in: runs the library's gates and the app's hook, writes nothing and holds no lock. The
   * caller can then do its own work. The second half is `complete` or `decide` of the result.
   *
   * @throws no_active_account, email_not_verified, and what the hook throws
   */
  async begin(attempt: SignInAttempt): Promise<BegunSignIn> {
    await this.#passOwnGates(attempt);
    return this.#begin(attempt, () => this.#read(attempt));
  }

  async #passOwnGates(attempt: SignInAttempt): Promise<void> {
    for (const gate of this.#ownGates) await gate.check(attempt);
  }

  /**
   * Like `begin`, for a user who is not stored yet.
   *
   * @param newUser makes the user for `beforeSignIn`. Called only if the app has that hook
   * @throws what the hook throws
   */
  async beginSignUp(attempt: Omit<SignInAttempt, 'user'>, newUser: () => BaseUser): Promise<BegunSignIn> {
    return this.#begin(attempt, async () => newUser());
  }

  async #begin(attempt: Omit<SignInAttempt, 'user'>, account: () => Promise<BaseUser>): Promise<BegunSignIn> {
    const { hooks } = this.kernel;
    if (hooks.beforeSignIn) {
      const { amr, client } = attempt;
      await hooks.beforeSignIn({ user: await account(), amr, client: requestClientOf(client) });
    }
    // The library's own gates run again, because the user may have changed meanwhile, and a new user has not passed
    // them.
    const gates = [...this.#ownGates, ...this.#addedGates];
    return new BegunSignIn(attempt, gates, { ...this.kernel, completions: this.#completions });
  }

  async #read({ user, em }: SignInAttempt): Promise<BaseUser> {
    return (await this.kernel.sessions.ownerOf(user.id, em)).user;
  }
}
