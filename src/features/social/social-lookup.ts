import type { EntityManager } from '@mikro-orm/postgresql';
import type { AuthKernel } from '../../kernel.js';
import type { PasswordOwner } from '../../users/user.service.js';
import { type AddressOwner, decideLinking, type LinkingDecision } from './linking-decision.js';
import type { SocialAccounts } from './social-accounts.js';
import type { ProviderIdentity } from './social-identity.js';

/** What happens with a sign-in, and whom it concerns. */
export interface FoundOwner {
  readonly decision: LinkingDecision;
  /** The user to sign in. Undefined for a sign-up and for a refusal. */
  readonly user?: PasswordOwner;
}

/** Finds out to whom an account of a provider belongs. */
export class SocialLookup {
  constructor(
    private readonly kernel: Pick<
      AuthKernel,
      'database' | 'users' | 'accounts' | 'emailOwnership' | 'passwordlessSignUps' | 'settings'
    > & { readonly socialAccounts: SocialAccounts },
  ) {}

  /**
   * Decides what happens with a sign-in, and finds the user.
   *
   * @param em a transaction that has locked the address: the result is true until its end. Without it, the result can
   * be outdated at once
   */
  async find(identity: ProviderIdentity, em?: EntityManager): Promise<FoundOwner> {
    if (!em) return this.kernel.database.transaction((own) => this.find(identity, own));
    const { users, socialAccounts, passwordlessSignUps } = this.kernel;
    const id = await socialAccounts.ownerOf(identity, em);
    const connected = id === undefined ? undefined : await users.findById(id, em);
    if (connected) return { decision: { action: 'sign-in' }, user: connected };
    const { email, isEmailVerified, isEmailTrusted } = identity;
    const holder = email === undefined ? undefined : await users.findByEmail(email, em);
    const owner = email === undefined ? 'no-user' : await this.#ownerOf(email, holder, em);
    const { isOpen: isSignUpOpen } = passwordlessSignUps;
    const decision = decideLinking({ isConnected: false, isEmailVerified, isEmailTrusted, owner, isSignUpOpen });
    const isHolder = 'action' in decision && decision.action !== 'sign-up';
    return { decision, ...(isHolder && { user: holder }) };
  }

  async #ownerOf(email: string, holder: PasswordOwner | undefined, em: EntityManager): Promise<AddressOwner> {
    const { accounts, emailOwnership, settings } = this.kernel;
    if (!holder) return (await emailOwnership.isReservedByUndo(email, em)) ? 'unconfirmed' : 'no-user';
    if (await accounts.hasExpiredInvitation(holder.id, em))
      return (await emailOwnership.isTaken(email, em)) ? 'unconfirmed' : 'no-user';
    if (!holder.emailVerified && (await accounts.isInvited(holder.id, em))) return 'invited';
    // With EMAIL_VERIFICATION=none every address counts as confirmed without a proof.
    return holder.emailVerified && settings.emailVerification !== 'none' ? 'confirmed' : 'unconfirmed';
  }
}
