import type { EntityManager } from '@mikro-orm/postgresql';
import type { AuthKernel } from '../../kernel.js';
import type { SecondFactor } from '../../sign-in/second-factor.js';
import type { SecondFactors } from '../../sign-in/second-factors.js';
import type { UserId } from '../../users/base-user.entity.js';
import type { PasskeyStore } from './passkey-store.js';
import type { PasskeysService } from './passkeys.service.js';

/**
 * Passkeys as a second factor. A passkey answers the challenges of sign-ins by other methods, and causes none, unless
 * every user must have a second factor.
 */
export function passkeyFactor({
  accounts,
  passkeyStore,
  passkeys,
  secondFactors,
}: Pick<AuthKernel, 'accounts'> & {
  readonly secondFactors: SecondFactors;
  readonly passkeyStore: PasskeyStore;
  readonly passkeys: PasskeysService;
}): SecondFactor {
  /** Whether a user has a second factor other than the passkeys that were added at a time or later. */
  const hasOther = async (user: UserId, since: Date, em: EntityManager): Promise<boolean> => {
    const names = await accounts.secondFactorsOf(user, em);
    if (names.some((name) => name !== 'passkey')) return true;
    return (await passkeyStore.list(user, em)).some(({ createdAt, isDisabled }) => !isDisabled && createdAt < since);
  };
  return {
    name: 'passkey',
    isAlwaysAsked: false,
    // A signature cannot be guessed. The limits of other factors count wrong ones as well.
    limits: [],
    methodsOf: async (user, em) => ((await passkeyStore.countUsable(user, em)) > 0 ? ['passkey'] : []),
    countOf: (user) => passkeyStore.countUsable(user),
    removeSince: async (user, { since, hadSecondFactor }, em) => {
      // A thief may have added a passkey before the change of the address that the owner undoes. All passkeys go,
      // because the thief could sign in with it even before the owner sets a new password.
      if (!secondFactors.isAskedOf(['passkey'])) return passkeys.removeSince(user, new Date(0), em);
      // Every user must have a second factor: access to the mailbox alone must not remove an older one, or the last
      // one of a user who had one then.
      if (hadSecondFactor && !(await hasOther(user, since, em))) return;
      await passkeys.removeSince(user, since, em);
    },
  };
}
