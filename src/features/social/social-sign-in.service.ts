import type { EntityManager } from '@mikro-orm/postgresql';
import { isUniqueViolation } from '../../database/constraint-violation.js';
import { ErrorCode, JwtAllauthError } from '../../error.js';
import { authError } from '../../error-table.js';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import { type BegunSignIn, tokensOf } from '../../sign-in/begun-sign-in.js';
import type { Tokens } from '../../tokens/tokens.js';
import type { PasswordOwner } from '../../users/user.service.js';
import type { SocialAccounts } from './social-accounts.js';
import { COMPLETION, SIGN_UP_COMPLETION, type SocialCompletion } from './social-completion.js';
import { socialError } from './social-errors.js';
import type { ExchangeProof, SocialExchanges } from './social-exchanges.js';
import type { ProviderIdentity } from './social-identity.js';
import type { FoundOwner, SocialLookup } from './social-lookup.js';
import { personOf } from './social-person.js';

/** How many times a sign-in is decided at most: again after each time that a parallel request has changed the facts. */
const MAX_ATTEMPTS = 4;

/** The facts have changed between the decision and the transaction, which is rolled back. */
class FactsChanged extends Error {}

/** The second half of a sign-in: opens a session, or admits it for later. */
type Finish<T> = (begun: BegunSignIn, user: PasswordOwner, em: EntityManager) => Promise<T>;

/** Signs in people with an account of a provider. */
export class SocialSignInService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      | 'database'
      | 'users'
      | 'signIn'
      | 'passwordlessSignUps'
      | 'mailboxProofs'
      | 'emailOwnership'
      | 'sessionEndings'
      | 'settings'
      | 'mails'
      | 'mailLimiter'
      | 'signUpLimiter'
      | 'unconfirmedSignUps'
      | 'telemetry'
    > & {
      readonly socialAccounts: SocialAccounts;
      readonly socialLookup: SocialLookup;
      readonly socialExchanges: SocialExchanges;
      readonly socialCompletion: SocialCompletion;
    },
  ) {}

  /**
   * Opens a session for the owner of an account. An account that is not connected yet is connected after the second
   * factor. If no account has its address, a user is created, or a sign-up that waits for its confirmation: `mandatory`
   * and a provider that is not trusted.
   *
   * @throws provider_email_not_verified, email_already_registered, sign_up_not_allowed, second_factor_required (the
   * challenge), no_active_account, email_not_verified (also for a new user), too_many_requests (sign-ups and their
   * mails), conflict (the facts keep changing), field_already_taken (of the values of the app's hook), what
   * `SocialCompletion.complete` throws, and what hooks and gates throw
   */
  async signIn(identity: ProviderIdentity, client: SessionClient): Promise<Tokens> {
    return this.kernel.telemetry.measure('social', async () => {
      return tokensOf(await this.#decide(identity, client, (begun, user, em) => begun.decide(user, em)));
    });
  }

  /**
   * Like `signIn`, but opens no session.
   *
   * @param challenge binds the code to its client (`SocialExchanges`)
   * @returns the code with which the client fetches the session (`exchange`)
   */
  async admit(identity: ProviderIdentity, client: SessionClient, challenge?: string): Promise<string> {
    return this.kernel.telemetry.measure('social', async () => {
      const outcome = await this.#decide(identity, client, (begun, user, em) =>
        this.#admit(begun, user, challenge, em),
      );
      if (typeof outcome !== 'string') throw outcome.challenge;
      return outcome;
    });
  }

  async #admit(begun: BegunSignIn, user: PasswordOwner, challenge: string | undefined, em: EntityManager) {
    const admission = await begun.admit(user, em);
    if ('challenge' in admission) return admission;
    const { id, credentialEpoch = 0 } = admission.admitted;
    return this.kernel.socialExchanges.issue({ user: id, credentialEpoch, amr: admission.amr }, challenge, em);
  }

  /**
   * Opens the session of a code.
   *
   * @throws token_not_valid for an unknown, used or expired code, for a verifier that does not belong to it, and if the
   * user's credentials have changed meanwhile
   */
  async exchange(proof: ExchangeProof, client: SessionClient): Promise<Tokens> {
    const { database, users, signIn, socialExchanges } = this.kernel;
    const found = await socialExchanges.find(proof);
    const account = found && (await users.findById(found.user));
    if (!found || !account) throw authError('token_not_valid', { reason: 'one-time-key' });
    const { credentialEpoch, amr, authTime } = found;
    const user = { ...account, passwordHash: undefined, credentialEpoch };
    const begun = await signIn.begin({ user, amr, authTime, client });
    const decision = await database
      .transaction(async (em) => {
        if (!(await socialExchanges.take(proof, em))) throw authError('token_not_valid', { reason: 'one-time-key' });
        return begun.decide(user, em);
      })
      .catch((error: unknown) => {
        const isOutdated = error instanceof JwtAllauthError && error.code === ErrorCode.IncorrectCredentials;
        throw isOutdated ? authError('token_not_valid', { reason: 'one-time-key' }) : error;
      });
    return tokensOf(decision);
  }

  async #decide<T>(identity: ProviderIdentity, client: SessionClient, finish: Finish<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(identity, client, finish);
      } catch (error) {
        // A unique column of the app's entity may be violated as well. That repeats.
        const isRace = error instanceof FactsChanged || isUniqueViolation(error);
        if (!isRace) throw error;
        if (attempt < MAX_ATTEMPTS) continue;
        if (error instanceof FactsChanged) throw authError('conflict');
        throw this.kernel.users.refusalOf(error, { ...identity.fields });
      }
    }
  }

  /** Decides and calls the hooks, and then does it in a transaction if the facts are still the same. */
  async #attempt<T>(identity: ProviderIdentity, client: SessionClient, finish: Finish<T>): Promise<T> {
    const found = await this.kernel.socialLookup.find(identity);
    if ('refusal' in found.decision) throw refusalOf(found.decision.refusal);
    const isUnproved = !identity.isEmailTrusted && this.kernel.settings.emailVerification === 'mandatory';
    if (isUnproved && found.decision.action === 'sign-up') {
      await this.#addPending(identity, client);
      throw authError('email_not_verified');
    }
    const begun = await this.#begin(found, identity, client);
    return this.kernel.database.transaction(async (em) => {
      await this.#assertStill(found, identity, em);
      const user = found.user ? await this.#reread(found, em) : await this.#signUp(identity, client, em);
      return finish(begun, user, em);
    });
  }

  /**
   * Stores a sign-up whose address must be confirmed first. Only its own mail makes the user and connects the account,
   * so that it cannot take the place of another sign-up with the address.
   */
  async #addPending(identity: ProviderIdentity, client: SessionClient): Promise<void> {
    const { passwordlessSignUps, socialCompletion, unconfirmedSignUps } = this.kernel;
    await this.#countSignUp(identity, client);
    const person = personOf(identity);
    await passwordlessSignUps.callHook(person, client);
    const { email, firstName, lastName, fields: added } = person;
    const data = socialCompletion.dataOf(identity, true);
    const completion = { name: SIGN_UP_COMPLETION, data, method: identity.provider };
    await unconfirmedSignUps.add(
      { email, passwordHash: null, fields: { firstName, lastName, added }, completion },
      client,
    );
  }

  async #begin({ decision, user }: FoundOwner, identity: ProviderIdentity, client: SessionClient) {
    const action = 'action' in decision ? decision.action : undefined;
    // A second factor at the provider counts from the next sign-in on: who has only got hold of the mailbox could make
    // an account there, with a second factor of its own.
    const amr = action === 'connect' ? identity.amr.filter((method) => method !== 'mfa') : identity.amr;
    if (!user) {
      await this.#countSignUp(identity, client);
      return this.kernel.passwordlessSignUps.begin(personOf(identity), { amr, client });
    }
    const isNew = action !== 'sign-in';
    const completion = { name: COMPLETION, data: this.kernel.socialCompletion.dataOf(identity, isNew) };
    // An invitation is accepted in the transaction, which proves the address.
    const emailVerified = isNew || user.emailVerified;
    return this.kernel.signIn.begin({ user: { ...user, emailVerified }, amr, client, completion });
  }

  /** A sign-up whose address is not proved is also counted as the mail that it causes. @throws too_many_requests */
  async #countSignUp({ email = '', isEmailTrusted }: ProviderIdentity, client: SessionClient): Promise<void> {
    const { signUpLimiter, mailLimiter, settings } = this.kernel;
    await signUpLimiter.count(client);
    const isMailed = !isEmailTrusted && settings.emailVerification !== 'none';
    if (isMailed) await mailLimiter.countMail('registration', email, client, { isNetworkFirst: true });
  }

  /** Locks the address and the user, and decides again. */
  async #assertStill({ decision, user }: FoundOwner, identity: ProviderIdentity, em: EntityManager): Promise<void> {
    const isConnected = 'action' in decision && decision.action === 'sign-in';
    if (!isConnected && identity.email !== undefined) await this.kernel.emailOwnership.lock(identity.email, em);
    if (user) await this.kernel.sessionEndings.lockUser(user.id, em);
    const now = await this.kernel.socialLookup.find(identity, em);
    const isSameUser = String(now.user?.id) === String(user?.id);
    if (!isSameUser || JSON.stringify(now.decision) !== JSON.stringify(decision)) throw new FactsChanged();
  }

  /** The user as it is now. Accepts an invitation. */
  async #reread({ decision, user }: FoundOwner, em: EntityManager): Promise<PasswordOwner> {
    const current = user && (await this.kernel.users.findById(user.id, em));
    if (!current) throw authError('incorrect_credentials');
    const isInvited = 'action' in decision && decision.action === 'accept-invitation';
    return isInvited ? this.kernel.mailboxProofs.accept(current, em) : current;
  }

  /** Creates the user and connects the account. Only a trusted provider proves the address. */
  async #signUp(identity: ProviderIdentity, client: SessionClient, em: EntityManager): Promise<PasswordOwner> {
    const { passwordlessSignUps, socialCompletion, mails } = this.kernel;
    const created = await passwordlessSignUps.create(personOf(identity), identity.provider, em);
    if (!(await socialCompletion.connectNew(created.id, identity, em))) throw new FactsChanged();
    if (!created.emailVerified) await mails.sendLink('email-verification', created.id, created.email, em, client);
    return created;
  }
}

function refusalOf(code: 'provider_email_not_verified' | 'email_already_registered' | 'sign_up_not_allowed') {
  return code === 'email_already_registered' ? authError(code) : socialError(code);
}
