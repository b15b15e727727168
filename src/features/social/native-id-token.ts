import { createHash } from 'node:crypto';
import { providerRefused } from './social-errors.js';
import type { SocialProvider } from './social-provider.js';

/** Maximum length of an ID token. */
const MAX_LENGTH = 16_384;

/** What is read from an ID token before its signature is checked: only to know what to check it against. */
export interface ExpectedClaims {
  /** One of the provider's client ids. */
  readonly audience: string;
  /** The value that the claim `nonce` must have. */
  readonly nonce: string;
}

/**
 * Finds out what an ID token of a native app must contain. Its audience must be one of the provider's client ids. Its
 * `nonce` must be the app's, or the SHA-256 of it in hexadecimal or base64url, as the SDKs of Apple and others send it.
 *
 * @throws provider_refused
 */
export function expectedClaims(idToken: string, nonce: string, provider: SocialProvider): ExpectedClaims {
  const { aud, nonce: claimed } = readUnverified(idToken);
  const accepted = [provider.clientId, ...provider.nativeClientIds];
  const audience = accepted.find((clientId) => [aud].flat().includes(clientId));
  if (audience === undefined) throw providerRefused('the ID token has an `aud` that is no client id of the provider');
  if (nonce === '') throw providerRefused('the request has an empty nonce');
  const hash = createHash('sha256').update(nonce).digest();
  const hashes = [hash.toString('hex'), hash.toString('base64url')];
  return { audience, nonce: hashes.find((each) => each === claimed) ?? nonce };
}

function readUnverified(idToken: string): Readonly<Record<string, unknown>> {
  try {
    if (idToken.length > MAX_LENGTH) throw new TypeError('too long');
    const claims: unknown = JSON.parse(Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString());
    if (typeof claims === 'object' && claims !== null) return claims as Readonly<Record<string, unknown>>;
  } catch {
    // The error below says the same.
  }
  throw providerRefused('the ID token is not a JWT');
}
