// The entry point `jwt-allauth/passkeys/testing`, for tests of an app.

export type {
  PasskeyAssertion,
  PasskeyCreationOptions,
  PasskeyRegistration,
  PasskeyRequestOptions,
  PasskeyTransport,
} from './passkey-json.js';
export type { PasskeyAlgorithm } from './passkey-key.js';
export {
  type Forgery,
  SoftwareAuthenticator,
  type SoftwareAuthenticatorOptions,
  type SoftwarePasskey,
} from './software-authenticator.js';
