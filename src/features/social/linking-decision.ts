/** Which user has the address that the provider named. */
export type AddressOwner =
  /** No user. A waiting sign-up and an expired invitation do not count. */
  | 'no-user'
  /** A user who was invited, and has never signed in. The invitation is open. */
  | 'invited'
  /** A user who has proved to read the mailbox. */
  | 'confirmed'
  /** A user who has not proved the address. Or it is the former address of a user, who can still get it back. */
  | 'unconfirmed';

/** What is known about an account of a provider that signs in. */
export interface LinkingFacts {
  /** Whether the account is connected to a user. */
  readonly isConnected: boolean;
  /** Whether the provider has verified the address. False if it has named none. */
  readonly isEmailVerified: boolean;
  /** Whether the provider is trusted for addresses (`trustEmail`). */
  readonly isEmailTrusted: boolean;
  readonly owner: AddressOwner;
  /** Whether people may sign up. */
  readonly isSignUpOpen: boolean;
}

/** What happens with the sign-in: an action, or the code of the refusal. */
export type LinkingDecision =
  | {
      /**
       * - `sign-in`: sign in the user to whom the account is connected;
       * - `sign-up`: create a user;
       * - `accept-invitation`: the address is proved now; connect the account to the invited user;
       * - `connect`: connect the account to the owner of the address.
       */
      readonly action: 'sign-in' | 'sign-up' | 'accept-invitation' | 'connect';
    }
  | { readonly refusal: 'provider_email_not_verified' | 'email_already_registered' | 'sign_up_not_allowed' };

/**
 * Decides who signs in with an account of a provider. The account itself counts, never its address alone: an address
 * leads to an existing user only if the user and a trusted provider have both proved it.
 */
export function decideLinking(facts: LinkingFacts): LinkingDecision {
  const { isConnected, isEmailVerified, isEmailTrusted, owner, isSignUpOpen } = facts;
  if (isConnected) return { action: 'sign-in' };
  if (!isEmailVerified) return { refusal: 'provider_email_not_verified' };
  if (owner === 'no-user') return isSignUpOpen ? { action: 'sign-up' } : { refusal: 'sign_up_not_allowed' };
  if (!isEmailTrusted || owner === 'unconfirmed') return { refusal: 'email_already_registered' };
  return { action: owner === 'invited' ? 'accept-invitation' : 'connect' };
}
