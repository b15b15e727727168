import type { SecondFactor } from '../../sign-in/second-factor.js';
import type { PasskeyStore } from './passkey-store.js';
import type { PasskeysService } from './passkeys.service.js';

/**
 * Passkeys as a second factor. A passkey answers the challenges of sign-ins by other methods, and causes none, unless
 * every user must have a second factor.
 */
export function passkeyFactor({
  passkeyStore,
  passkeys,
}: {
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
    // Also if the user had a second factor then: a newer passkey is a way to sign in for somebody else.
    removeSince: (user, { since }, em) => passkeys.removeSince(user, since, em),
  };
}
