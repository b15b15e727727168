import { secondFactorRequired } from '../sign-in/challenge.js';
import type { AccessPredicate } from './access-predicate.js';

/**
 * Permits users who have proved a second factor in this session: the claim `amr` of the access token has `mfa`. Needs
 * no query. Others get 401 `second_factor_required` without a challenge, with `acr_values="mfa"` in `WWW-Authenticate`
 * (RFC 9470).
 */
export const SecondFactor: AccessPredicate = ({ amr }) => {
  if (!amr.includes('mfa')) throw secondFactorRequired();
  return true;
};
