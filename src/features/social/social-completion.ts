import type { EntityManager } from '@mikro-orm/postgresql';
import { authError } from '../../error-table.js';
import type { AuthKernel } from '../../kernel.js';
import type { UserId } from '../../users/base-user.entity.js';
import type { SocialAccounts, SocialLink } from './social-accounts.js';
import { socialError } from './social-errors.js';

/** The name of the completion of sign-ins with a provider (`SignInAttempt.completion`). */
export const COMPLETION = 'social';

/** The name of the completion of sign-ups whose address is confirmed by mail (`PendingSignUp.completion`). */
export const SIGN_UP_COMPLETION = 'social-sign-up';

/** The data of the completion, as a challenge keeps them. */
type CompletionData = SocialLink & {
  /** Whether the account is to be connected. Otherwise it was connected before. */
  readonly isNew: boolean;
};

/** Connects accounts of providers to users, with the records that belong to it. */
export class SocialCompletion {
  constructor(
    private readonly kernel: Pick<AuthKernel, 'accounts' | 'users' | 'oneTimeKeys' | 'mails' | 'journal'> & {
      readonly socialAccounts: SocialAccounts;
    },
  ) {}

  /** The data for `complete` and `completeSignUp`. */
  dataOf({ provider, issuer, sub, email, tokens }: SocialLink, isNew: boolean): Record<string, unknown> {
    return { provider, issuer, sub, email, tokens, isNew };
  }

  /**
   * Connects the account of a sign-in to the user, or records its use. It is called when the sign-in is admitted, with
   * a lock on the user's row.
   *
   * @throws provider_already_connected if a parallel request has connected it to another user; incorrect_credentials if
   * it was disconnected meanwhile
   */
  async complete(user: UserId, data: Readonly<Record<string, unknown>>, em: EntityManager): Promise<void> {
    const { isNew, ...link } = data as CompletionData;
    if (await this.kernel.socialAccounts.touch(user, link, em)) return;
    if (!isNew) throw authError('incorrect_credentials');
    if (!(await this.connect(user, link, em))) throw socialError('provider_already_connected');
  }

  /**
   * Connects the account of a confirmed sign-up, in the transaction that creates its user.
   *
   * @throws provider_already_connected if it was connected to another user meanwhile
   */
  async completeSignUp(user: UserId, data: Readonly<Record<string, unknown>>, em: EntityManager): Promise<void> {
    const connected = await this.connectNew(user, data as CompletionData, em);
    if (!connected) throw socialError('provider_already_connected');
  }

  /**
   * Connects an account to a user, in a transaction that has locked the user's row. It is a change of credentials: it
   * voids the user's mailed links, and the user gets a notice.
   *
   * @returns false if it is connected to a user already
   */
  async connect(user: UserId, link: SocialLink, em: EntityManager): Promise<boolean> {
    if (!(await this.connectNew(user, link, em))) return false;
    await this.kernel.accounts.recordCredentialChange(user, em);
    // Also voids the link to a new address. Otherwise the undo of that change would keep this older account.
    await this.kernel.oneTimeKeys.revokeAll(user, em);
    await this.notify('provider-connected', user, em);
    return true;
  }

  /** Like `connect`, for a user who was created in the same transaction. */
  async connectNew(user: UserId, link: SocialLink, em: EntityManager): Promise<boolean> {
    if (!(await this.kernel.socialAccounts.insert(user, link, em))) return false;
    const event = { user: String(user), provider: link.provider };
    await this.kernel.journal.record([['provider.connected', event]], em);
    return true;
  }

  /** Mails a notice to a user. */
  async notify(name: 'provider-connected' | 'provider-disconnected', user: UserId, em: EntityManager): Promise<void> {
    const account = await this.kernel.users.findById(user, em);
    if (account) await this.kernel.mails.sendNotice(name, account.email, em);
  }
}
