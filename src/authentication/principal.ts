import type { TokenClaims } from '../tokens/claims.js';

/** Who sent the request, as the access token says: no query was made, and none is needed to read it. */
export class Principal {
  constructor(
    /** All claims of the access token, custom ones included. */
    readonly claims: TokenClaims,
  ) {}

  /** The user's key, as a string whatever its column type. */
  get id(): string {
    return this.claims.sub;
  }

  /** Id of the session that the access token belongs to. */
  get session(): string {
    return this.claims.session;
  }

  get role(): number {
    return this.claims.role;
  }

  get emailVerified(): boolean {
    return this.claims.email_verified;
  }
}
