import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { decodeCredentialPublicKey } from '@simplewebauthn/server/helpers';

/** The algorithms of passkeys (COSE, WebAuthn level 3 §5.8.5). */
const [ES256, EDDSA, RS256] = [-7, -8, -257];

/** Their numbers, for the options of a ceremony. The first one is preferred. */
export const ALGORITHMS = [ES256, EDDSA, RS256];

/** Minimum and maximum length of an RSA key. A signature by a longer key takes long to check. */
const [MIN_RSA_BITS, MAX_RSA_BITS] = [2048, 8192];

/**
 * Checks that a signature can be verified with a COSE key (RFC 9052 §7): a point of P-256 or Ed25519, or an RSA key of
 * 2048 to 8192 bits. A passkey with another key would be stored, and would never sign in.
 *
 * @throws Error
 */
export function assertUsablePublicKey(cose: Uint8Array<ArrayBuffer>): void {
  const key = createPublicKey({ key: jwkOf(decodeCredentialPublicKey(cose)), format: 'jwk' });
  const { modulusLength } = key.asymmetricKeyDetails ?? {};
  if (modulusLength === undefined) return;
  if (modulusLength < MIN_RSA_BITS || modulusLength > MAX_RSA_BITS) throw new Error('the RSA key has a bad length');
}

function jwkOf(cose: ReturnType<typeof decodeCredentialPublicKey>): JsonWebKey {
  const members = cose as unknown as ReadonlyMap<number, unknown>;
  const text = (label: number) => {
    const bytes = members.get(label);
    if (!(bytes instanceof Uint8Array)) throw new Error(`the member ${label} of the key is missing`);
    return Buffer.from(bytes).toString('base64url');
  };
  const [type, algorithm, curve] = [1, 3, -1].map((label) => members.get(label));
  if (algorithm === ES256 && type === 2 && curve === 1) return { kty: 'EC', crv: 'P-256', x: text(-2), y: text(-3) };
  if (algorithm === EDDSA && type === 1 && curve === 6) return { kty: 'OKP', crv: 'Ed25519', x: text(-2) };
  if (algorithm === RS256 && type === 3) return { kty: 'RSA', n: text(-1), e: text(-2) };
  throw new Error('the key is of no supported algorithm, type and curve');
}
