import type { EntityManager } from '@mikro-orm/postgresql';
import { type Clock, toSeconds } from '../clock.js';
import { authError, reauthenticationRequired } from '../error-table.js';
import type { SessionClient } from '../sessions/client-device.js';
import type { SessionProofs } from '../sessions/session-proofs.js';
import type { Settings } from '../settings/settings.js';
import { authAge } from '../tokens/auth-age.js';
import type { TokenClaims } from '../tokens/claims.js';
import type { BaseUser } from '../users/base-user.entity.js';
import type { UserService } from '../users/user.service.js';
import { secondFactorRequired } from './challenge.js';
import type { PasswordProof } from './password-proof.js';
import type { SecondFactors } from './second-factors.js';

/**
 * Protects what a thief of an access token must not do, such as the removal of a second factor: the user must have
 * authenticated within REAUTHENTICATION_MAX_AGE, and with the second factor if the user has one.
 */
export class Freshness {
  constructor(
    protected readonly kernel: {
      readonly sessionProofs: SessionProofs;
      readonly secondFactors: SecondFactors;
      readonly users: UserService;
      readonly passwordProof: PasswordProof;
      readonly settings: Settings;
      readonly clock: Clock;
    },
  ) {}

  /**
   * Checks that the owner of the account acts, and not a thief of the access token: by the password or, if the user
   * has none, by a fresh session.
   *
   * @param field the field of the body that has the password
   * @returns the caller's user with the password hash
   * @throws what `assert` and `PasswordProof.check` throw
   * @throws validation_failed if the user has a password and none is given
   */
  async assertOwner(
    claims: TokenClaims,
    given: { readonly password: string | undefined; readonly field?: string },
    client: SessionClient,
  ): Promise<BaseUser> {
    const { sessionProofs, users, passwordProof } = this.kernel;
    await sessionProofs.accountOf(claims); // first, so that only a live session can guess
    const user = await users.getActiveWithPassword(claims.sub);
    const { password, field = 'password' } = given;
    if (!user.passwordHash) await this.assert(claims);
    else if (password !== undefined) await passwordProof.checkFor(claims, user, password, client);
    else throw authError('validation_failed', { errors: [{ field, messages: ['must be a string'] }] });
    return user;
  }

  /**
   * Checks the claims of the presented access token, and not the session's row: an older access token of a session that
   * was made fresh later is refused.
   *
   * @param em the transaction of the action. Until this transaction ends, no other one can end the session. Lock the
   * user's row first
   * @throws token_not_valid if the session has ended; second_factor_required if the user has a second factor that the
   * token does not prove; reauthentication_required if the token's `auth_time` is too old or in the future
   */
  async assert(claims: TokenClaims, em?: EntityManager): Promise<void> {
    const { sessionProofs, secondFactors, settings, clock } = this.kernel;
    const { amr = [], auth_time: authTime } = claims;
    const account = await sessionProofs.accountOf(claims, em);
    if (secondFactors.isAskedOf(account.secondFactors) && !amr.includes('mfa')) throw secondFactorRequired();
    const maxAge = settings.reauthenticationMaxAge;
    const age = authAge(authTime, toSeconds(clock.now()));
    if (age === undefined || age > maxAge) throw reauthenticationRequired(maxAge);
  }
}
