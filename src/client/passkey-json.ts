// Converts options and answers from and to JSON, for browsers with WebAuthn level 2. Level 3 has functions for this.

/** A credential, as `navigator.credentials` returns it. */
export interface BrowserCredential {
  readonly id: string;
  readonly rawId: ArrayBuffer;
  readonly type: string;
  readonly authenticatorAttachment?: string | null;
  readonly response: Readonly<Record<string, unknown>> & { getTransports?(): string[] };
  getClientExtensionResults(): object;
  toJSON?(): object;
}

/** A credential or a user in the options. The id is bytes, in base64url in JSON. */
interface Descriptor {
  readonly id: string;
}

/** The options of the server as JSON. The challenge is bytes as well. */
interface JsonOptions {
  readonly challenge: string;
  readonly user?: Descriptor;
  readonly excludeCredentials?: readonly Descriptor[];
  readonly allowCredentials?: readonly Descriptor[];
}

const toBytes = (text: string) =>
  Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (character) => character.charCodeAt(0));

const toText = (bytes: ArrayBuffer) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=/g, '');

const withBytes = <Item extends Descriptor>(item: Item) => ({ ...item, id: toBytes(item.id) });

/** The options for `navigator.credentials`, from the JSON of the server. */
export function optionsFromJson(options: JsonOptions): object {
  const { challenge, user, excludeCredentials, allowCredentials } = options;
  return {
    ...options,
    challenge: toBytes(challenge),
    ...(user && { user: withBytes(user) }),
    excludeCredentials: excludeCredentials?.map(withBytes),
    allowCredentials: allowCredentials?.map(withBytes),
  };
}

/** The JSON for the server, from a credential. */
export function credentialToJson(credential: BrowserCredential): object {
  try {
    // The credentials of some password managers have no `toJSON`, or one that throws.
    return (credential as Required<BrowserCredential>).toJSON();
  } catch {}
  const { id, rawId, type, authenticatorAttachment, response } = credential;
  const members = ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle'];
  const bytes = members.flatMap((name) => (response[name] ? [[name, toText(response[name] as ArrayBuffer)]] : []));
  return {
    id,
    rawId: toText(rawId),
    type,
    authenticatorAttachment: authenticatorAttachment ?? undefined,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: { ...Object.fromEntries(bytes), transports: response.getTransports?.() },
  };
}
