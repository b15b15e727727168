import type { SessionClient } from '../sessions/client-device.js';
import type { SessionReference } from '../sessions/session.service.js';
import type { BaseUser } from '../users/base-user.entity.js';

/**
 * A method by which a signed-in user authenticates again. Sensitive actions, such as deleting the account, require it,
 * so that an access token alone is not enough. The library has the password (`PasswordProof`); modules can add others.
 */
export interface ReAuthentication<Proof = string> {
  /** The member of a request's body that carries the proof, such as `password`. */
  readonly member: string;
  /** The methods that a right proof adds to the `amr` of the session (RFC 8176). */
  readonly amr: readonly string[];
  /**
   * Checks the proof and returns the caller's user. Guesses are limited.
   *
   * @throws incorrect_credentials for a wrong proof; too_many_requests; token_not_valid if the caller's session has
   * ended
   */
  check(caller: SessionReference, proof: Proof, client: SessionClient): Promise<BaseUser>;
}
