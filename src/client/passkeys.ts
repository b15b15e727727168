import type { ClientCalls } from '../client-calls.js';
import { type PasskeyAccount, type PasskeyOptions, passkeyCalls } from '../features/passkeys/passkeys.client.js';
import { autofilled } from './passkey-autofill.js';
import { isAutofillSupported, isSupported, refusal, showDialog } from './passkey-dialog.js';
import { unlessAborted } from './unless-aborted.js';

/** Options of a sign-in with a passkey. */
export interface PasskeySignInOptions {
  /**
   * Whether the browser shows no dialog, but suggests passkeys in the autofill of the field with
   * `autocomplete="username webauthn"`. The method then waits until the user picks one.
   */
  readonly autofill?: boolean;
  /** Ends the request to the browser. The method then rejects with the abort reason. */
  readonly signal?: AbortSignal;
}

/**
 * The methods of the module `jwt-allauth/passkeys`, as `auth.passkeys`: `new AuthClient().extend(passkeyMethods)`.
 *
 * Browsers allow one request for a passkey at a time. So each method that makes one ends the request before it, also
 * that of `signIn({ autofill: true })`. It rejects with an AuthError: one of the server, or a `PasskeyRefusal`.
 */
export const passkeyMethods = (client: ClientCalls) => {
  const calls = passkeyCalls(client);
  let running: AbortController | undefined;

  /** Lets the user create or use a passkey. Ends the request to the browser before it. */
  const ask = async (
    method: 'create' | 'get',
    getOptions: () => Promise<PasskeyOptions>,
    { autofill, signal }: PasskeySignInOptions = {},
  ): Promise<object> => {
    running?.abort(refusal({ name: 'AbortError' }));
    const own = new AbortController();
    running = own;
    const request = async () => {
      // A browser that does not know autofill would open a dialog.
      if (!(autofill ? await isAutofillSupported() : isSupported())) throw refusal();
      return autofill ? autofilled(getOptions, own.signal) : showDialog(method, await getOptions(), own.signal);
    };
    const abort = () => own.abort(signal?.reason);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort);
    try {
      return await unlessAborted(request(), own.signal);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  };

  return {
    passkeys: {
      /** Whether the browser has passkeys. */
      get isSupported(): boolean {
        return isSupported();
      },

      /** Whether `signIn({ autofill: true })` works in this browser. */
      isAutofillSupported,

      /** Signs in, in every tab. The user chooses the passkey, and enters no address. */
      signIn: async (options?: PasskeySignInOptions): Promise<void> => {
        const credential = await ask('get', () => calls.loginOptions({}), options);
        await calls.login({ credential });
      },

      /** Completes a sign-in with the second factor, in every tab. @param challenge that of the `AuthError` */
      answer: async (challenge: string): Promise<void> => {
        const credential = await ask('get', () => calls.loginOptions({ challenge }));
        await calls.login({ credential, challenge });
      },

      /**
       * Signs up with a passkey and without a password.
       *
       * @returns `signed-in`, or `confirmation-mailed` if the address has to be confirmed first
       */
      signUp: async <Account extends PasskeyAccount>(account: Account) => {
        const credential = await ask('create', () => calls.signUpOptions(account));
        const { access } = await calls.signUp({ ...account, credential });
        return access ? 'signed-in' : 'confirmation-mailed';
      },

      /** Adds a passkey to the signed-in user. It needs a recent proof: see `stepUp`. */
      add: async (name?: string) => {
        const credential = await ask('create', calls.registrationOptions);
        return calls.register({ credential, name });
      },

      /** Proves who the signed-in user is. @returns the `credential` for `auth.reauthenticate({ credential })` */
      prove: () => ask('get', () => calls.loginOptions({ isBearer: true })),

      list: calls.list,

      rename: calls.rename,

      /** Removes a passkey from the account. It needs a recent proof: see `stepUp`. */
      remove: calls.remove,
    },
  };
};
