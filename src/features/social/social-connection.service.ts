import type { EntityManager } from '@mikro-orm/postgresql';
import { tokenNotValid } from '../../error-table.js';
import type { AuthKernel } from '../../kernel.js';
import type { TokenClaims } from '../../tokens/claims.js';
import type { UserId } from '../../users/base-user.entity.js';
import type { PasswordOwner } from '../../users/user.service.js';
import { isUuid } from '../../users/user-key.js';
import type { ProviderTokens } from './provider-client.js';
import type { ProviderIdentities } from './provider-identities.js';
import type { SocialAccount, SocialAccounts } from './social-accounts.js';
import type { SocialCompletion } from './social-completion.js';
import { socialError } from './social-errors.js';
import type { ProviderIdentity } from './social-identity.js';
import type { SocialProviders } from './social-providers.js';
import type { Connecting } from './social-states.js';

/** The accounts of providers that are connected to users. `auth.social` is this service. */
export class SocialConnectionService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      | 'database'
      | 'users'
      | 'accounts'
      | 'sessions'
      | 'sessionEndings'
      | 'sessionProofs'
      | 'freshness'
      | 'signInMethods'
      | 'journal'
    > & {
      readonly socialAccounts: SocialAccounts;
      readonly socialCompletion: SocialCompletion;
      readonly socialProviders: SocialProviders;
      readonly providerIdentities: ProviderIdentities;
    },
  ) {}

  /** The accounts of a user, oldest first. */
  async list(user: UserId): Promise<SocialAccount[]> {
    return this.kernel.socialAccounts.list(user);
  }

  /** Like `list`, for the caller's user. @throws token_not_valid if the caller's session has ended */
  async listFor(claims: TokenClaims): Promise<SocialAccount[]> {
    await this.kernel.sessions.assertLive(claims);
    return this.list(this.kernel.users.keyOf(claims.sub));
  }

  /**
   * The provider's tokens of a user, if the app keeps them (`keepTokens`). The library does not refresh them.
   *
   * @throws UnsealError if ENCRYPTION_KEYS has no key for them
   */
  async tokensOf(user: UserId, provider: string): Promise<ProviderTokens | undefined> {
    const found = await this.kernel.socialAccounts.tokens(user, provider);
    return found?.tokens === undefined ? undefined : this.kernel.providerIdentities.openTokens(found, found.tokens);
  }

  /**
   * Checks that the caller may connect an account of a provider.
   *
   * @param claims the claims of the caller's access token
   * @returns the state of the caller's account, which `connect` compares
   * @throws provider_already_connected, reauthentication_required, second_factor_required, token_not_valid
   */
  async begin(claims: TokenClaims, provider: string): Promise<Connecting> {
    const { freshness, sessionProofs, users } = this.kernel;
    const { credentialEpoch } = await sessionProofs.accountOf(claims);
    await freshness.assert(claims);
    await this.#assertNotConnected(users.keyOf(claims.sub), provider);
    return { sub: claims.sub, session: claims.session, credentialEpoch };
  }

  /**
   * Connects an account to the user who began the connection.
   *
   * @throws provider_already_connected also if another user has the account; token_not_valid if the session has ended,
   * or the user's credentials have changed meanwhile
   */
  async connect({ sub, session, credentialEpoch }: Connecting, identity: ProviderIdentity): Promise<void> {
    const { database, sessionEndings, sessionProofs, socialCompletion, users } = this.kernel;
    const user = users.keyOf(sub);
    await database.transaction(async (em) => {
      await sessionEndings.lockUser(user, em);
      const account = await sessionProofs.accountOf({ sub, session }, em);
      if (account.credentialEpoch !== credentialEpoch) throw tokenNotValid('session-ended');
      await this.#assertNotConnected(user, identity.provider, em);
      if (!(await socialCompletion.connect(user, identity, em))) throw socialError('provider_already_connected');
    });
  }

  async #assertNotConnected(user: UserId, provider: string, em?: EntityManager): Promise<void> {
    const accounts = await this.kernel.socialAccounts.list(user, em);
    if (accounts.some((account) => account.provider === provider)) throw socialError('provider_already_connected');
  }

  /**
   * Disconnects an account from the caller's user.
   *
   * @param claims the claims of the caller's access token
   * @throws provider_account_not_found, last_sign_in_method, reauthentication_required, second_factor_required,
   * token_not_valid
   */
  async remove(claims: TokenClaims, id: string): Promise<void> {
    const { database, users, accounts, sessionEndings, freshness, signInMethods, socialCompletion } = this.kernel;
    const user = users.keyOf(claims.sub);
    await database.transaction(async (em) => {
      await sessionEndings.lockUser(user, em);
      await freshness.assert(claims, em);
      const provider = isUuid(id) ? await this.kernel.socialAccounts.remove(user, id, em) : undefined;
      if (provider === undefined) throw socialError('provider_account_not_found');
      await signInMethods.assertOneLeft(user, em);
      await accounts.recordCredentialChange(user, em);
      await this.#record(user, [provider], 'user', em);
      await socialCompletion.notify('provider-disconnected', user, em);
    });
  }

  /**
   * Disconnects the accounts that were connected at a time or later, when the owner of the mailbox takes the account
   * back. Call it in a transaction that has locked the user's row.
   */
  async removeSince(user: UserId, since: Date, em: EntityManager): Promise<void> {
    await this.#removeSince(user, since, em);
  }

  /**
   * Disconnects all accounts, with a notice, when the user sets a new password by mail or undoes a change of the
   * address: a stranger may have connected one. A trusted provider with the same address is connected again at its next
   * sign-in. Call it in a transaction that has locked the user's row.
   */
  async removeAtReset(user: UserId, em: EntityManager): Promise<void> {
    if (!(await this.#removeSince(user, new Date(0), em))) return;
    await this.kernel.socialCompletion.notify('provider-disconnected', user, em);
  }

  /** @returns whether an account was disconnected */
  async #removeSince(user: UserId, since: Date, em: EntityManager): Promise<boolean> {
    const providers = await this.kernel.socialAccounts.removeSince(user, since, em);
    await this.#record(user, providers, 'mailbox-owner', em);
    return providers.length > 0;
  }

  /** Whether a user can sign in with an account of a provider that this app has. */
  async isUsableBy({ id }: PasswordOwner, em: EntityManager): Promise<boolean> {
    const accounts = await this.kernel.socialAccounts.list(id, em);
    return accounts.some(({ provider }) => this.kernel.socialProviders.has(provider));
  }

  async #record(user: UserId, providers: readonly string[], by: 'user' | 'mailbox-owner', em: EntityManager) {
    const about = { user: String(user), by };
    const events = providers.map((provider) => ['provider.disconnected', { ...about, provider }] as const);
    await this.kernel.journal.record(events, em);
  }
}
