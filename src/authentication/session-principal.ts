import type { Clock } from '../clock.js';
import type { TokenClaims } from '../tokens/claims.js';
import { Principal } from './principal.js';

/**
 * The sender of a request with an access token. The claims are frozen, because requests with the same token share them.
 */
export class SessionPrincipal extends Principal {
  declare readonly claims: TokenClaims;

  constructor(claims: TokenClaims, clock?: Clock) {
    super(claims, 'session', clock);
  }

  override get session(): string {
    return this.claims.session;
  }
}
