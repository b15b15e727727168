import type { ClientCalls } from '../../client-calls.js';

declare module '../../client-calls.js' {
  interface UserProofs {
    /** The present code of the authenticator app. */
    code: string;
    recoveryCode: string;
  }
}

/** The user's second factors. */
export interface MfaStatus {
  /** `required`: every user must have a second factor. */
  readonly mode: 'optional' | 'required';
  readonly totp: boolean;
  readonly recoveryCodesLeft: number;
  readonly passkeys: number;
}

/** What an authenticator app needs. Show it to the user, and do not store it. */
export interface TotpSetup {
  /** In base32, to type. */
  readonly secret: string;
  /** `otpauth://totp/…`, to open on the same device. */
  readonly uri: string;
  /** The URI as an SVG image, to scan. */
  readonly qr: string;
}

/** Ten codes, each good for one sign-in without the authenticator app. The server shows them only once. */
export interface RecoveryCodes {
  readonly recoveryCodes: readonly string[];
}

/** An answer to the challenge of a sign-in (`AuthError.challenge`). */
export type MfaAnswer = { readonly challenge: string } & (
  | { readonly code: string }
  | { readonly recoveryCode: string }
);

/**
 * The methods of the module `jwt-allauth/totp`, as `auth.mfa`: `new AuthClient().extend(mfaMethods)`. Each change of a
 * factor needs a recent proof of identity: see `stepUp`.
 */
export const mfaMethods = ({ call, refresh }: ClientCalls) => ({
  mfa: {
    /** Gets the second factors of the signed-in user. */
    status: () => call<MfaStatus>('GET', '/mfa', { isBearer: true }),

    /**
     * Makes a new secret, which `confirm` switches on.
     *
     * @param by the challenge of a sign-in whose `methods` has `totp_setup`; without it, for the signed-in user
     */
    setup: (by: { readonly challenge?: string } = {}) =>
      call<TotpSetup>('POST', '/mfa/totp/setup', { body: by, isBearer: !by.challenge }),

    /** Switches the second factor on. With a challenge, it signs in. Else the access token is renewed. */
    confirm: async (proof: { readonly code: string; readonly challenge?: string; readonly revokeOthers?: boolean }) => {
      const isBearer = !proof.challenge;
      const { recoveryCodes } = await call<RecoveryCodes>('POST', '/mfa/totp/confirm', {
        body: proof,
        isBearer,
        effect: isBearer ? undefined : 'sign-in',
      });
      // The codes are shown only once, so a renewal that fails must not lose them.
      if (isBearer) await refresh().catch(() => undefined);
      return { recoveryCodes } satisfies RecoveryCodes;
    },

    /** Completes a sign-in with the second factor, in every tab. */
    verify: (answer: MfaAnswer) => call<void>('POST', '/mfa/verify', { body: answer, effect: 'sign-in' }),

    /** Replaces the recovery codes. The old ones are void. */
    newRecoveryCodes: () => call<RecoveryCodes>('POST', '/mfa/recovery-codes', { isBearer: true }),

    /** Removes the authenticator app and the recovery codes. */
    removeTotp: () => call<void>('DELETE', '/mfa/totp', { isBearer: true }),
  },
});
