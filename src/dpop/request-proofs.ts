import { authError } from '../error-table.js';
import type { Settings } from '../settings/settings.js';
import type { Proof } from './proof.js';
import { type ProofVerifier, proofRefused } from './proof-verifier.js';
import type { AddressedRequest } from './requested-url.js';
import type { UsedProofs } from './used-proofs.js';

/** Methods that change nothing (RFC 9110 §9.2.1). */
const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];

/** Reads the DPoP proofs of requests. */
export class RequestProofs {
  /** The proofs that requests have used up. */
  readonly #used = new WeakMap<AddressedRequest, Promise<Proof>>();

  constructor(
    private readonly kernel: {
      readonly proofVerifier: ProofVerifier;
      readonly usedProofs: UsedProofs;
      readonly settings: Settings;
    },
  ) {}

  /**
   * Verifies the proof of a request, if it has one. Does not use the proof up.
   *
   * @throws dpop_proof_invalid, use_dpop_nonce
   */
  async read(request: AddressedRequest): Promise<Proof | undefined> {
    const text = headerOf(request);
    return text === undefined ? undefined : this.kernel.proofVerifier.verify(text, request);
  }

  /**
   * Verifies and uses up the proof of a request that signs in.
   *
   * @returns undefined if the request has no proof, or DPOP is `off`
   * @throws dpop_proof_missing if DPOP is `required`; dpop_proof_invalid, use_dpop_nonce
   */
  async ofSignIn(request: AddressedRequest): Promise<Proof | undefined> {
    const { dpop } = this.kernel.settings;
    if (dpop === 'off') return undefined;
    const proof = await this.useIfPresent(request);
    if (!proof && dpop === 'required') throw authError('dpop_proof_missing');
    return proof;
  }

  /** Like `read`, and uses the proof up for all servers. @throws dpop_proof_invalid, use_dpop_nonce */
  async useIfPresent(request: AddressedRequest): Promise<Proof | undefined> {
    const text = headerOf(request);
    return text === undefined ? undefined : this.#use(request, text);
  }

  /**
   * Checks that a request has a proof for its access token, by this key, and uses the proof up: for this server if the
   * method is safe, else for all servers.
   *
   * @throws dpop_proof_invalid, use_dpop_nonce
   */
  async assertFor(accessToken: string, thumbprint: string, request: AddressedRequest): Promise<void> {
    const text = headerOf(request);
    if (text === undefined) throw proofRefused('proof-missing');
    const proof = await this.#use(request, text, accessToken);
    if (proof.thumbprint !== thumbprint) throw proofRefused('proof-of-another-key');
  }

  /** Verifies a proof and uses it up, once for each request. */
  #use(request: AddressedRequest, text: string, accessToken?: string): Promise<Proof> {
    const used = this.#used.get(request) ?? this.#verifyAndUse(request, text, accessToken);
    this.#used.set(request, used);
    return used;
  }

  async #verifyAndUse(request: AddressedRequest, text: string, accessToken?: string): Promise<Proof> {
    const { proofVerifier, usedProofs } = this.kernel;
    const proof = await proofVerifier.verify(text, request, accessToken);
    const isSafe = SAFE_METHODS.includes(request.method ?? '');
    const isFirstUse = isSafe ? usedProofs.useHere(proof) : await usedProofs.use(proof);
    if (!isFirstUse) throw proofRefused('proof-replayed');
    return proof;
  }
}

/** The header `DPoP`. Node joins several ones with commas, which no proof has. */
function headerOf({ headers }: AddressedRequest): string | undefined {
  return [headers['dpop']].flat().join() || undefined;
}
