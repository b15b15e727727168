import type { ClientCalls } from '../../client-calls.js';

/** A proof of the signed-in user. From a user with a second factor, a password or a mailed code is not enough. */
export type ReauthenticationProof =
  | { readonly password: string }
  /** The present code of the authenticator app. */
  | { readonly code: string }
  | { readonly recoveryCode: string }
  /** The code of the mail that `requestReauthenticationCode` sends. */
  | { readonly mailCode: string }
  /** The JSON of a passkey's answer. */
  | { readonly credential: object };

/** The client's methods for this feature. */
export const reauthenticationMethods = ({ call }: ClientCalls) => ({
  /** Proves again who the user is. The session stays the same, and the access token gets a new `auth_time`. */
  reauthenticate: (proof: ReauthenticationProof) =>
    call<void>('POST', '/reauthenticate', { body: proof, isBearer: true, effect: 'renewal' }),

  /** Mails a code for `reauthenticate`, for users without password and second factor. */
  requestReauthenticationCode: () => call<void>('POST', '/reauthenticate/code', { isBearer: true }),
});
