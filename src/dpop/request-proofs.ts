import type { Clock } from '../clock.js';
import { JwtAllauthError } from '../error.js';
import { authError } from '../error-table.js';
import type { Logger } from '../observability/logger.js';
import { WarningLimit } from '../observability/warning-limit.js';
import { namesOf, withNames } from '../settings/setting-names.js';
import type { Settings } from '../settings/settings.js';
import type { Proof } from './proof.js';
import { hashOf, type ProofVerifier, proofRefused } from './proof-verifier.js';
import { type AddressedRequest, urlOf } from './requested-url.js';
import type { UsedProofs } from './used-proofs.js';

/** Methods that change nothing (RFC 9110 §9.2.1). */
const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];

/** The log message of a proof for another URL, which is usually a fault of the settings. */
const WRONG_URL_MESSAGE =
  'DPoP proof for another URL refused. If clients of your app use the given URL, their sessions are not bound or ' +
  "cannot be refreshed. Remedy: set {publicUrl}, {trustedOrigins} or Express's trust proxy";

/** Maximum number of characters of a URL in a log entry. */
const MAX_LOGGED_LENGTH = 200;

/** Reads the DPoP proofs of requests. Logs proofs for another URL: once a minute for each of at most 20 URLs. */
export class RequestProofs {
  readonly #verified = new WeakMap<AddressedRequest, Proof>();
  readonly #warnings: WarningLimit;

  constructor(
    private readonly kernel: {
      readonly proofVerifier: ProofVerifier;
      readonly usedProofs: UsedProofs;
      readonly settings: Settings;
      readonly clock: Clock;
      readonly logger: Logger;
    },
  ) {
    this.#warnings = new WarningLimit(kernel.clock);
  }

  /**
   * Verifies the proof of a request, if it has one: once for each request. Does not use the proof up.
   *
   * @throws dpop_proof_invalid, use_dpop_nonce
   */
  read(request: AddressedRequest): Proof | undefined {
    const text = headerOf(request);
    if (text === undefined) return undefined;
    const verified = this.#verified.get(request) ?? this.#verify(text, request);
    this.#verified.set(request, verified);
    return verified;
  }

  #verify(text: string, request: AddressedRequest): Proof {
    try {
      return this.kernel.proofVerifier.verify(text, request);
    } catch (error) {
      if (error instanceof JwtAllauthError && error.reason === 'proof-for-another-url') this.#warn(text, request);
      throw error;
    }
  }

  /** Logs the URL in a proof, without query and password. The signature is right, so its claims can be read. */
  #warn(text: string, request: AddressedRequest): void {
    const { settings, logger } = this.kernel;
    const { htu } = JSON.parse(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString());
    const given = (typeof htu === 'string' ? htu : typeof htu)
      .replace(/[?#].*/s, '')
      .replace(/\/\/[^/]*@/, '//')
      .slice(0, MAX_LOGGED_LENGTH);
    const expected = urlOf(request, settings).slice(0, MAX_LOGGED_LENGTH);
    const admitted = this.#warnings.admit(given);
    if (admitted) logger.warn({ given, expected, ...admitted }, withNames(WRONG_URL_MESSAGE, namesOf(settings)));
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
    if (!proof && dpop === 'required') throw authError('dpop_proof_missing', { reason: 'proof-missing' });
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
