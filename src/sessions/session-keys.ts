import type { Clock } from '../clock.js';
import { lowestStampAt, MAX_SKEW_MS, stampOf } from '../dpop/proof.js';
import { type ProofVerifier, proofRefused } from '../dpop/proof-verifier.js';
import type { UsedProofs } from '../dpop/used-proofs.js';
import { ErrorCode, type JwtAllauthError, type ProofRefusal } from '../error.js';
import type { Journal } from '../observability/journal.js';
import type { Logger } from '../observability/logger.js';
import type { Settings } from '../settings/settings.js';
import type { TokenClaims } from '../tokens/claims.js';
import type { SessionClient } from './client-device.js';
import type { SessionReference } from './session.service.js';
import { MAX_PROOFS } from './session-statements.js';
import type { SessionRow, StampedProof } from './session-store.js';

/**
 * Refuses requests to bound sessions that have no proof by the key of the session. A refusal ends nothing: otherwise
 * the thief of a token could sign the owner out.
 */
export class SessionKeys {
  constructor(
    protected readonly kernel: {
      readonly settings: Settings;
      readonly clock: Clock;
      readonly proofVerifier: ProofVerifier;
      readonly usedProofs: UsedProofs;
      readonly journal: Journal;
      readonly logger: Logger;
    },
  ) {}

  /**
   * The proof of a refresh, checked against the key in the refresh token.
   *
   * @returns undefined if the session needs no proof and the request has none
   * @throws dpop_proof_invalid, use_dpop_nonce
   */
  proofForToken(claims: TokenClaims, client: SessionClient | undefined): StampedProof | undefined {
    const { dpop } = this.kernel.settings;
    const key = claims.cnf?.jkt;
    if (dpop === 'off' && key === undefined) return undefined;
    const isGiven = client?.proof !== undefined || client?.proofFault !== undefined;
    if (!isGiven && key === undefined && dpop !== 'required') return undefined;
    const proof = this.#given(claims, client);
    if (key !== undefined && proof.thumbprint !== key) throw this.refusal(claims, 'proof-of-another-key');
    return proof;
  }

  /**
   * Checks the proof of a refresh against the row of the session. A bound session always needs a proof, also if DPOP is
   * `off`, and also for a token that was issued before the session was bound.
   *
   * @returns undefined if the session is not bound
   * @throws dpop_proof_invalid if the session is bound to another key, or has used the proof before
   * @throws use_dpop_nonce if the session has used so many proofs that it may have forgotten this one
   */
  proofForSession(
    presented: { claims: TokenClaims; client: SessionClient | undefined; proof: StampedProof | undefined },
    { keyThumbprint, proofs }: SessionRow,
  ): StampedProof | undefined {
    if (keyThumbprint === null) return undefined;
    const { claims } = presented;
    const proof = presented.proof ?? this.#given(claims, presented.client);
    if (proof.thumbprint !== keyThumbprint) throw this.refusal(claims, 'proof-of-another-key');
    if (proofs.includes(proof.stamp)) throw this.refusal(claims, 'proof-replayed');
    const oldest = proofs[MAX_PROOFS - 1];
    if (oldest !== undefined && BigInt(proof.stamp) < BigInt(oldest)) throw this.kernel.proofVerifier.nonceRequired();
    return proof;
  }

  /** The proof of a request. @throws what is wrong with it; dpop_proof_invalid if the request has no proof */
  #given(claims: TokenClaims, { proof, proofFault }: Partial<SessionClient> = {}): StampedProof {
    if (proofFault) throw this.reported(claims, proofFault);
    if (!proof) throw this.refusal(claims, 'proof-missing');
    const lowest = lowestStampAt(this.kernel.clock.now() - MAX_SKEW_MS);
    return { thumbprint: proof.thumbprint, stamp: stampOf(proof), lowest };
  }

  /**
   * Checks that a signed-in user's request has a proof by the key of the session, and uses it up.
   *
   * @param keyThumbprint the key of the session. Null: it is not bound
   * @throws dpop_proof_invalid, use_dpop_nonce
   */
  async assertProved(caller: SessionReference, keyThumbprint: string | null, client: SessionClient): Promise<void> {
    if (keyThumbprint === null) return;
    if (client.proofFault) throw this.reported(caller, client.proofFault);
    if (!client.proof) throw this.refusal(caller, 'proof-missing');
    if (client.proof.thumbprint !== keyThumbprint) throw this.refusal(caller, 'proof-of-another-key');
    if (!(await this.kernel.usedProofs.use(client.proof))) throw this.refusal(caller, 'proof-replayed');
  }

  /** Logs and emits a refusal, without the audit log, because strangers can cause it without limit. */
  refusal({ session, sub }: SessionReference, reason: ProofRefusal): JwtAllauthError {
    this.kernel.logger.warn({ reason, session, user: sub }, 'DPoP proof refused');
    this.kernel.journal.emit(['session.binding-refused', { reason, session, user: sub }]);
    return proofRefused(reason);
  }

  /** Logs and emits what is wrong with a proof, unless only a nonce is missing. @returns the error to throw */
  reported(caller: SessionReference, fault: JwtAllauthError): JwtAllauthError {
    const isRefusal = fault.code === ErrorCode.DpopProofInvalid;
    return isRefusal ? this.refusal(caller, fault.reason as ProofRefusal) : fault;
  }
}
