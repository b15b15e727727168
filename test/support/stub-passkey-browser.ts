import {
  type PasskeyAssertion,
  type PasskeyRegistration,
  SoftwareAuthenticator,
} from '../../src/features/passkeys/testing/index.js';

/** A request of a page to `navigator.credentials`. */
interface BrowserRequest {
  readonly publicKey: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal;
  readonly mediation?: string;
}

/** What a browser has in addition to `navigator.credentials`. */
export interface BrowserTraits {
  /** Whether it converts options and credentials from and to JSON (WebAuthn level 3). */
  readonly isNew: boolean;
  /** Whether it suggests passkeys in autofill; undefined if it does not know autofill. */
  readonly hasAutofill?: boolean;
}

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, 'base64url')).buffer;

/** The value with all bytes as base64url, as the JSON of options has them. */
// biome-ignore lint/suspicious/noExplicitAny: it converts whatever a page passes on
function toJson(value: any): any {
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer as ArrayBuffer).toString('base64url');
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, toJson(member)]));
}

/** `navigator.credentials` of a page of this origin, with a software authenticator. */
export class StubPasskeyBrowser {
  readonly authenticator: SoftwareAuthenticator;
  /** The requests so far, as `method mediation`. */
  readonly log: string[] = [];
  /** The options of the last request, as the page passed them. */
  options: Readonly<Record<string, unknown>> = {};
  /** Called before each answer: it waits for the user, or throws what the browser throws. */
  user: () => void | Promise<void> = () => {};
  /** Changes a credential, as extensions of password managers do. */
  wrap: (credential: object) => object | null = (credential) => credential;
  readonly #isNew: boolean;

  constructor(origin: string, { isNew, hasAutofill }: BrowserTraits) {
    this.#isNew = isNew;
    this.authenticator = new SoftwareAuthenticator({ origin });
    const credentials = { create: this.#request('create'), get: this.#request('get') };
    Object.defineProperty(navigator, 'credentials', { value: credentials, configurable: true });
    const parse = (options: object) => ({ ...options, isParsed: true });
    Object.assign(globalThis, {
      PublicKeyCredential: {
        ...(isNew && { parseCreationOptionsFromJSON: parse, parseRequestOptionsFromJSON: parse }),
        ...(hasAutofill !== undefined && { isConditionalMediationAvailable: async () => hasAutofill }),
      },
    });
  }

  /** Removes the globals. */
  close(): void {
    Reflect.deleteProperty(navigator, 'credentials');
    Reflect.deleteProperty(globalThis, 'PublicKeyCredential');
  }

  #request(method: 'create' | 'get') {
    return async ({ publicKey, signal, mediation }: BrowserRequest) => {
      this.log.push(mediation ? `${method} ${mediation}` : method);
      this.options = publicKey;
      signal.throwIfAborted();
      const aborted = new Promise<void>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      });
      const user = (async () => this.user())();
      await Promise.race([user, aborted]);
      const options = this.#isNew ? publicKey : toJson(publicKey);
      return this.wrap(this.#credential(this.authenticator[method](options)));
    };
  }

  #credential(answer: PasskeyAssertion | PasskeyRegistration): object {
    const { transports, publicKeyAlgorithm: _, ...members } = answer.response as PasskeyRegistration['response'];
    const response = Object.fromEntries(Object.entries(members).map(([name, text]) => [name, bytesOf(text)]));
    return {
      ...answer,
      rawId: bytesOf(answer.rawId),
      response: { ...response, ...(transports && { getTransports: () => transports }) },
      getClientExtensionResults: () => answer.clientExtensionResults,
      ...(this.#isNew && { toJSON: () => answer }),
    };
  }
}
