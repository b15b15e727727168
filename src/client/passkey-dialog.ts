import type { PasskeyOptions } from '../features/passkeys/passkeys.client.js';
import { AuthError } from './auth-error.js';
import { type BrowserCredential, credentialToJson, optionsFromJson } from './passkey-json.js';

/** Globals of browsers. */
interface Browser {
  readonly PublicKeyCredential?: {
    isConditionalMediationAvailable?(): Promise<boolean>;
    parseCreationOptionsFromJSON?(options: object): object;
    parseRequestOptionsFromJSON?(options: object): object;
  };
  readonly navigator: {
    readonly credentials: Record<'create' | 'get', (request: object) => Promise<BrowserCredential>>;
  };
}

/** The codes for what the browser refuses. */
export type PasskeyRefusal =
  /** The user has closed the dialog, or time is up, or no passkey fits. Browsers do not reveal which. */
  | 'passkey_cancelled'
  /** The authenticator has a passkey of this user. The server has the same code. */
  | 'passkey_already_registered'
  /** The browser has no passkeys, or cannot use them on this page; see `cause`. */
  | 'passkey_not_available';

/** The sentences for people. */
const MESSAGES: Readonly<Record<PasskeyRefusal, string>> = {
  passkey_cancelled: 'No passkey was used.',
  passkey_already_registered: 'You have this passkey already.',
  passkey_not_available: 'Passkeys do not work in this browser or on this page.',
};

/** The names of the browser's exceptions that a user may cause (WebAuthn level 3 §5.1.3 and §5.1.4). */
const CODES: Readonly<Record<string, PasskeyRefusal>> = {
  AbortError: 'passkey_cancelled',
  NotAllowedError: 'passkey_cancelled',
  InvalidStateError: 'passkey_already_registered',
};

const api = () => (globalThis as unknown as Browser).PublicKeyCredential;

/** Whether the browser has passkeys. */
export const isSupported = (): boolean => Boolean(api());

/** Whether the browser suggests passkeys in the autofill of a form field. */
export const isAutofillSupported = async (): Promise<boolean> =>
  Boolean(await api()?.isConditionalMediationAvailable?.());

/** The error for an exception of the browser. Without an exception: the browser has no passkeys. */
export function refusal(cause?: { readonly name: string }): AuthError {
  const code = CODES[cause?.name ?? ''] ?? 'passkey_not_available';
  return new AuthError(code, 400, MESSAGES[code], { cause });
}

/**
 * Lets the browser create or use a passkey.
 *
 * @param mediation `conditional` shows no dialog: the browser suggests passkeys in the autofill of a form field
 * @returns the JSON for the server
 * @throws AuthError with a `PasskeyRefusal`
 */
export async function showDialog(
  method: 'create' | 'get',
  options: PasskeyOptions,
  signal: AbortSignal,
  mediation?: 'conditional',
): Promise<object> {
  const parse = method === 'get' ? 'parseRequestOptionsFromJSON' : 'parseCreationOptionsFromJSON';
  const { navigator } = globalThis as unknown as Browser;
  try {
    const publicKey = api()?.[parse]?.(options) ?? optionsFromJson(options);
    return credentialToJson(await navigator.credentials[method]({ publicKey, signal, mediation }));
  } catch (cause) {
    throw refusal(cause as Error);
  }
}
