import { createHash } from 'node:crypto';
import type { Clock } from '../clock.js';
import type { JwtAllauthError, ProofRefusal } from '../error.js';
import { authError } from '../error-table.js';
import type { Settings } from '../settings/settings.js';
import { NONCE_SECONDS, type Nonces } from './nonces.js';
import type { Proof } from './proof.js';
import { ProofKeys } from './proof-keys.js';
import { type AddressedRequest, isUrlOf } from './requested-url.js';

/** How far the `iat` of a proof may be from this server's clock. */
const MAX_SKEW_SECONDS = 60;

/** Maximum length of a proof, in characters. A proof with an RSA key of 4096 bits has about 1,900. */
const MAX_LENGTH = 4096;

/** A later `iat`, in the year 5138 or after, was made in milliseconds. */
const MAX_IAT_SECONDS = 100_000_000_000;

/** The form of a compact JWS (RFC 7515 §7.1): base64url without padding. `Buffer.from` also reads other characters. */
const FORM = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** Maximum length of a `jti`, in characters. */
const MAX_JTI_LENGTH = 256;

/** What is wrong with a proof, as a sentence for the developer of the client. */
const DETAILS: Readonly<Record<ProofRefusal, string>> = {
  'proof-missing': 'The request has no DPoP proof, which this session needs.',
  'proof-malformed': 'The DPoP proof is not well-formed; see RFC 9449, section 4.2. Its iat is in whole seconds.',
  'proof-wrong-signature': 'The signature of the DPoP proof is not valid.',
  'proof-for-another-method': 'The htm of the DPoP proof is not the method of this request.',
  'proof-for-another-url': 'The htu of the DPoP proof is not the URL of this request; see PUBLIC_URL.',
  'proof-for-another-token': 'The ath of the DPoP proof is not the hash of the access token.',
  'proof-of-another-key': 'The DPoP proof is by another key than the one of the session.',
  'proof-replayed': 'The DPoP proof was used before; make a new one for each request.',
};

/**
 * 401: a request has no valid proof, and its session needs one. Or its sign-in has a wrong proof. The reason is sent,
 * because a client keeps a session unless its proof is by another key.
 */
export function proofRefused(reason: ProofRefusal): JwtAllauthError {
  return authError('dpop_proof_invalid', { reason, detail: DETAILS[reason], members: { reason } });
}

/** Verifies DPoP proofs (RFC 9449 §4.3), except that each is used only once. */
export class ProofVerifier {
  readonly #keys = new ProofKeys();

  constructor(
    private readonly kernel: { readonly clock: Clock; readonly nonces: Nonces; readonly settings: Settings },
  ) {}

  /**
   * Verifies the proof of a request.
   *
   * @param text the value of the header `DPoP`
   * @throws dpop_proof_invalid; use_dpop_nonce if only the instant of the proof is wrong
   */
  verify(text: string, request: AddressedRequest): Proof {
    const { thumbprint, claims } = this.#open(text);
    const { jti, htm, htu, iat, ath } = claims;
    const hasForm = typeof jti === 'string' && jti !== '' && jti.length <= MAX_JTI_LENGTH && Number.isSafeInteger(iat);
    if (!hasForm) throw proofRefused('proof-malformed');
    if (htm !== request.method) throw proofRefused('proof-for-another-method');
    if (!isUrlOf(htu, request, this.kernel.settings)) throw proofRefused('proof-for-another-url');
    const expiresAt = this.#expiryOf(iat as number, claims['nonce']);
    return { thumbprint, id: hashOf(`${thumbprint}.${jti}`), expiresAt, accessTokenHash: ath };
  }

  /** The key and the claims of a proof whose signature is right: a compact JWS (RFC 7515 §7.1). */
  #open(text: string) {
    if (text.length > MAX_LENGTH || !FORM.test(text)) throw proofRefused('proof-malformed');
    const [header = '', payload = '', signature = ''] = text.split('.');
    const key = this.#keys.of(header);
    const bytes = Buffer.from(signature, 'base64url');
    if (!key || bytes.toString('base64url') !== signature) throw proofRefused('proof-malformed');
    if (!key.hasSigned(`${header}.${payload}`, bytes)) throw proofRefused('proof-wrong-signature');
    return { thumbprint: key.thumbprint, claims: claimsIn(payload) };
  }

  /**
   * Until when the proof is accepted: five minutes after its nonce was made, or else a minute after its `iat`. It is a
   * property of the proof alone, so that all servers agree on it.
   *
   * @throws use_dpop_nonce if that is over, or without a nonce if `iat` is more than a minute ahead
   * @throws dpop_proof_invalid without a nonce if `iat` is in milliseconds: a new proof would be refused again
   */
  #expiryOf(iat: number, nonce: unknown): number {
    const { clock, nonces } = this.kernel;
    const now = clock.now();
    const madeAt = nonces.instantOf(nonce);
    if (madeAt === undefined && iat > MAX_IAT_SECONDS) throw proofRefused('proof-malformed');
    const expiresAt = madeAt === undefined ? (iat + MAX_SKEW_SECONDS) * 1000 : madeAt + NONCE_SECONDS * 1000;
    const isAhead = madeAt === undefined && iat * 1000 > now + MAX_SKEW_SECONDS * 1000;
    if (expiresAt < now || isAhead) throw this.nonceRequired();
    return expiresAt;
  }

  /** 401: the client has to make a new proof with the nonce of this error. */
  nonceRequired(): JwtAllauthError {
    return authError('use_dpop_nonce', { dpop: { error: 'use_dpop_nonce', nonce: this.kernel.nonces.create() } });
  }
}

function claimsIn(payload: string): Readonly<Record<string, unknown>> {
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    if (typeof claims === 'object' && claims !== null) return claims as Readonly<Record<string, unknown>>;
  } catch {
    // refused below
  }
  throw proofRefused('proof-malformed');
}

/** SHA-256 in base64url, as in `ath`. */
export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
