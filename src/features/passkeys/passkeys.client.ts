import type { ClientCalls, Names } from '../../client-calls.js';

declare module '../../client-calls.js' {
  interface UserProofs {
    /** What `passkeys.prove` returns. */
    credential: object;
  }
}

/** A passkey of the user, with times in ISO 8601. */
export interface Passkey {
  readonly id: string;
  readonly name: string;
  readonly createdAt: string;
  /** Null if it was never used. */
  readonly lastUsedAt: string | null;
  /** Whether it is on several devices, or in a backup. */
  readonly isBackedUp: boolean;
  /** Whether the server has disabled it, because a copy of it may exist. */
  readonly isDisabled: boolean;
}

/** The options of the server for the browser, as JSON (WebAuthn level 3 §5.1.9 and §5.1.10). */
export interface PasskeyOptions {
  readonly challenge: string;
  /** How long the challenge is valid, in milliseconds. */
  readonly timeout?: number;
}

/** What the options are for: the answer of a challenge, or a proof of the signed-in user. Neither: a sign-in. */
export interface PasskeyOptionsRequest {
  readonly challenge?: string | undefined;
  readonly isBearer?: boolean;
}

/** The account of a sign-up with a passkey. */
export type PasskeyAccount = { readonly email: string } & Names;

/** The endpoints of the module `jwt-allauth/passkeys`, without the dialogs of a browser. */
export const passkeyCalls = ({ call }: ClientCalls) => ({
  loginOptions: ({ challenge, isBearer = false }: PasskeyOptionsRequest) =>
    call<PasskeyOptions>('POST', '/passkeys/login/options', { body: { challenge }, isBearer }),

  login: (body: { readonly credential: object; readonly challenge?: string | undefined }) =>
    call<unknown>('POST', '/passkeys/login', { body, effect: 'sign-in' }),

  signUpOptions: (account: PasskeyAccount) =>
    call<PasskeyOptions>('POST', '/passkeys/sign-up/options', { body: account }),

  signUp: (body: PasskeyAccount & { readonly credential: object }) =>
    call<{ readonly access?: string }>('POST', '/passkeys/sign-up', { body, effect: 'sign-in' }),

  registrationOptions: () => call<PasskeyOptions>('POST', '/passkeys/registration/options', { isBearer: true }),

  register: (body: { readonly credential: object; readonly name?: string | undefined }) =>
    call<Passkey>('POST', '/passkeys/registration', { body, isBearer: true }),

  list: () => call<readonly Passkey[]>('GET', '/passkeys', { isBearer: true }),

  rename: (id: string, name: string) => call<Passkey>('PATCH', `/passkeys/${id}`, { body: { name }, isBearer: true }),

  remove: (id: string) => call<void>('DELETE', `/passkeys/${id}`, { isBearer: true }),
});
