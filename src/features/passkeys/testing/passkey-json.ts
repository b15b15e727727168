/** What the authenticator reads of `PublicKeyCredentialCreationOptionsJSON` (WebAuthn level 3 §5.1.9). */
export interface PasskeyCreationOptions {
  readonly challenge: string;
  readonly rp: { readonly id?: string };
  readonly user: { readonly id: string; readonly name: string };
  readonly pubKeyCredParams: readonly { readonly alg: number }[];
  readonly excludeCredentials?: readonly { readonly id: string }[];
}

/** What it reads of `PublicKeyCredentialRequestOptionsJSON` (WebAuthn level 3 §5.1.10). */
export interface PasskeyRequestOptions {
  readonly challenge: string;
  readonly rpId?: string;
  readonly allowCredentials?: readonly { readonly id: string }[];
}

/** How a browser reaches an authenticator (WebAuthn level 3 §5.8.4). */
export type PasskeyTransport = 'ble' | 'hybrid' | 'internal' | 'nfc' | 'smart-card' | 'usb';

/** The members of both answers. */
interface PasskeyAnswer<Response> {
  /** The id of the passkey. This and all other binary members are in base64url, without padding. */
  id: string;
  rawId: string;
  type: 'public-key';
  response: Response;
  authenticatorAttachment: 'platform' | 'cross-platform';
  clientExtensionResults: Record<string, never>;
}

/** `RegistrationResponseJSON`: what a browser sends after `navigator.credentials.create` (WebAuthn level 3 §5.1.8). */
export type PasskeyRegistration = PasskeyAnswer<{
  clientDataJSON: string;
  attestationObject: string;
  authenticatorData: string;
  transports: PasskeyTransport[];
  publicKey: string;
  publicKeyAlgorithm: number;
}>;

/** `AuthenticationResponseJSON`: what a browser sends after `navigator.credentials.get` (WebAuthn level 3 §5.1.8). */
export type PasskeyAssertion = PasskeyAnswer<{
  clientDataJSON: string;
  authenticatorData: string;
  signature: string;
  userHandle?: string;
}>;
