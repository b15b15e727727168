import type { EntityManager } from '@mikro-orm/postgresql';
import { type Clock, toSeconds } from '../clock.js';
import { reauthenticationRequired } from '../error-table.js';
import type { SessionProofs } from '../sessions/session-proofs.js';
import type { Settings } from '../settings/settings.js';
import type { TokenClaims } from '../tokens/claims.js';
import { secondFactorRequired } from './challenge.js';
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
      readonly settings: Settings;
      readonly clock: Clock;
    },
  ) {}

  /**
   * Checks the claims of the presented access token, and not the session's row: an older access token of a session that
   * was made fresh later is refused.
   *
   * @param em the transaction of the action; the session cannot be ended before its end. Lock the user's row first
   * @throws token_not_valid if the session has ended; second_factor_required if the user has a second factor that the
   * token does not prove; reauthentication_required if the token's `auth_time` is too old
   */
  async assert(claims: TokenClaims, em?: EntityManager): Promise<void> {
    const { sessionProofs, secondFactors, settings, clock } = this.kernel;
    const { amr = [], auth_time: authTime } = claims;
    const account = await sessionProofs.accountOf(claims, em);
    if (secondFactors.isAskedOf(account.secondFactors) && !amr.includes('mfa')) throw secondFactorRequired();
    const maxAge = settings.reauthenticationMaxAge;
    if (authTime === undefined || toSeconds(clock.now()) - authTime > maxAge) throw reauthenticationRequired(maxAge);
  }
}
