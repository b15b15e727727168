import type { ClientCalls, UserProofs } from '../../client-calls.js';

/** One proof of the signed-in user. From a user with a second factor, a password or a mailed code is not enough. */
export type ReauthenticationProof = {
  readonly [Name in keyof UserProofs]: { readonly [Only in Name]: UserProofs[Name] };
}[keyof UserProofs];

/** The client's methods for this feature. */
export const reauthenticationMethods = ({ call }: ClientCalls) => ({
  /** Proves again who the user is. The session stays the same, and the access token gets a new `auth_time`. */
  reauthenticate: (proof: ReauthenticationProof) =>
    call<void>('POST', '/reauthenticate', { body: proof, isBearer: true, effect: 'renewal' }),

  /** Mails a code for `reauthenticate`, for users without password and second factor. */
  requestReauthenticationCode: () => call<void>('POST', '/reauthenticate/code', { isBearer: true }),
});
