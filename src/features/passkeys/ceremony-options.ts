import type { PasskeyReference } from './passkey-store.js';

/** The bytes of a challenge or a user handle, from base64url. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(text, 'base64url'));
}

/** Passkeys in the options of a ceremony (`PublicKeyCredentialDescriptor`, WebAuthn level 3 §5.8.3). */
export function descriptorsOf(passkeys: readonly PasskeyReference[]) {
  return passkeys.map(({ credentialId, transports }) => ({ id: credentialId, transports: [...transports] }));
}
