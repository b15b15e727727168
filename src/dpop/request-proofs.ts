import { authError } from '../error-table.js';
import type { Settings } from '../settings/settings.js';
import type { Proof } from './proof.js';
import { hashOf, type ProofVerifier, proofRefused } from './proof-verifier.js';
import type { AddressedRequest } from './requested-url.js';
import type { UsedProofs } from './used-proofs.js';

/** Methods that change nothing (RFC 9110 §9.2.1). */
const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];

/** Reads the DPoP proofs of requests. */
export class RequestProofs {
  readonly #verified = new WeakMap<AddressedRequest, Proof>();

  constructor(
    private readonly kernel: {
      readonly proofVerifier: ProofVerifier;
      readonly usedProofs: UsedProofs;
      readonly settings: Settings;
    },
  ) {}

  /**
   * Verifies the proof of a request, if it has one: once for each request. Does not use the proof up.
   *
   * @throws dpop_proof_invalid, use_dpop_nonce
   */
  read(request: AddressedRequest): Proof | undefined {
    const text = headerOf(request);
    if (text === undefined) return undefined;
    const verified = this.#verified.get(request) ?? this.kernel.proofVerifier.verify(text, request);
    this.#verified.set(request, verified);
    return verified;
  }

  /**
   * Like `read`, for a request that signs in. Opening the session uses the proof up, so that only users who have
   * authenticated cause a row.
   *
   * @returns undefined if the request has no proof, or DPOP is `off`
   * @throws dpop_proof_missing if DPOP is `required`; dpop_proof_invalid, use_dpop_nonce
   */
  ofSignIn(request: AddressedRequest): Proof | undefined {
    const { dpop } = this.kernel.settings;
    if (dpop === 'off') return undefined;
    const proof = this.read(request);
    if (!proof && dpop === 'required') throw authError('dpop_proof_missing');
    return proof;
  }

  /**
   * Checks that a request has a proof for its access token, by this key, and uses the proof up: for this server if the
   * method is safe, else for all servers.
   *
   * @throws dpop_proof_invalid, use_dpop_nonce
   */
  async assertFor(accessToken: string, thumbprint: string, request: AddressedRequest): Promise<void> {
    const { usedProofs } = this.kernel;
    const proof = this.read(request);
    if (!proof) throw proofRefused('proof-missing');
    if (proof.accessTokenHash !== hashOf(accessToken)) throw proofRefused('proof-for-another-token');
    if (proof.thumbprint !== thumbprint) throw proofRefused('proof-of-another-key');
    const isSafe = SAFE_METHODS.includes(request.method ?? '');
    const isFirstUse = isSafe ? usedProofs.useHere(proof) : await usedProofs.use(proof);
    if (!isFirstUse) throw proofRefused('proof-replayed');
  }
}

/** The header `DPoP`. Node joins several ones with commas, which no proof has. */
function headerOf({ headers }: AddressedRequest): string | undefined {
  return [headers['dpop']].flat().join() || undefined;
}
