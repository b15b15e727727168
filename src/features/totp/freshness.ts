import type { TokenClaims } from '../../tokens/claims.js';

/** Checks that the caller has authenticated recently. */
export interface Freshness {
  /** @throws reauthentication_required, second_factor_required, token_not_valid */
  assert(claims: TokenClaims): Promise<void>;
}
