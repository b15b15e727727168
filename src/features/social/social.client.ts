import type { ClientCalls } from '../../client-calls.js';

/** A provider, for a button. */
export interface ProviderName {
  readonly id: string;
  readonly name: string;
}

/** An account of a provider with which the user can sign in. */
export interface ConnectedAccount {
  readonly id: string;
  /** The id of the provider. */
  readonly provider: string;
  readonly email: string | null;
  readonly connectedAt: string;
  readonly lastUsedAt: string;
}

/** The endpoints of the module `jwt-allauth/social`, without the navigation of a browser. */
export const socialCalls = ({ call }: ClientCalls) => ({
  /** Lists the providers of the server. */
  providers: () => call<readonly ProviderName[]>('GET', '/social/providers'),

  /** Lists the accounts of the signed-in user. */
  accounts: () => call<readonly ConnectedAccount[]>('GET', '/social/accounts', { isBearer: true }),

  /** Removes an account. It needs a recent proof: see `stepUp`. */
  disconnect: (id: string) => call<void>('DELETE', `/social/accounts/${id}`, { isBearer: true }),

  /**
   * Signs in with the code of the fragment, for native apps. In a browser use `finishSignIn`.
   *
   * @param verifier the text whose S256 is the `challenge` that `signInUrl` got
   */
  exchange: (code: string, verifier?: string) =>
    call<void>('POST', '/social/exchange', { body: { code, verifier }, effect: 'sign-in' }),

  /** Signs in with an ID token that a native app got from an SDK of the provider. */
  signInWithToken: (provider: string, token: { readonly idToken: string; readonly nonce: string }) =>
    call<void>('POST', `/social/${provider}/token`, { body: token, effect: 'sign-in' }),
});
