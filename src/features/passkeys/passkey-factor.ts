import type { SecondFactor } from '../../sign-in/second-factor.js';
import type { SecondFactors } from '../../sign-in/second-factors.js';
import type { PasskeyStore } from './passkey-store.js';
import type { PasskeysService } from './passkeys.service.js';

/**
 * Passkeys as a second factor. A passkey answers the challenges of sign-ins by other methods, and causes none, unless
 * every user must have a second factor.
 */
export function passkeyFactor({
  passkeyStore,
  passkeys,
  secondFactors,
}: {
  readonly secondFactors: SecondFactors;
  readonly passkeyStore: PasskeyStore;
  readonly passkeys: PasskeysService;
}): SecondFactor {
  return {
    name: 'passkey',
    isAlwaysAsked: false,
    // A signature cannot be guessed. The limits of other factors count wrong ones as well.
    limits: [],
    methodsOf: async (user, em) => ((await passkeyStore.countUsable(user, em)) > 0 ? ['passkey'] : []),
    countOf: (user) => passkeyStore.countUsable(user),
    // Also older ones: a thief could add one before the change of the address that the owner undoes, and would sign in
    // with it, also before the new password is set. If every user must have a second factor, older ones stay: access to
    // the mailbox alone must not remove it. A newer one goes even if the user had a second factor then.
    removeSince: (user, { since }, em) => {
      const isFactor = secondFactors.isAskedOf(['passkey']);
      return passkeys.removeSince(user, isFactor ? since : new Date(0), em);
    },
  };
}
