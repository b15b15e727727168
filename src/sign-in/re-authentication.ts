import type { SessionClient } from '../sessions/client-device.js';
import type { SessionReference } from '../sessions/session.service.js';

/**
 * A method by which a signed-in user authenticates again, before actions for which an access token alone is not enough,
 * because it may be stolen. The library has the password (`PasswordProof`) and a mailed code; modules add others
 * (`ModuleParts.reAuthentications`).
 */
export interface ReAuthentication<Proof = string> {
  /** The member of a request's body that carries the proof, such as `password`. */
  readonly member: string;
  /**
   * The methods that a right proof adds to the `amr` of the session (RFC 8176). A second factor adds `mfa`: only such a
   * method can make the session of a user with a second factor fresh.
   */
  readonly amr: readonly string[];
  /** The JSON Schema of the proof, for the OpenAPI document. Default: a string. */
  readonly schema?: Readonly<Record<string, unknown>>;
  /** Whether a value has the form of a proof. Default: whether it is a string. */
  isProof?(value: unknown): boolean;
  /**
   * Checks the proof. Guesses are limited.
   *
   * @throws incorrect_credentials for a wrong proof; too_many_requests; token_not_valid if the caller's session has
   * ended
   */
  check(caller: SessionReference, proof: Proof, client: SessionClient): Promise<void>;
}
