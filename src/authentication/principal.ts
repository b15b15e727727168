/** What is known of who sends a request. The claims of an access token are such claims, too. */
export interface PrincipalClaims {
  /** The user's key, as a string whatever its column type. */
  readonly sub: string;
  readonly role: number;
  readonly email_verified: boolean;
  /** Id of the session; undefined for a principal without one. */
  readonly session?: string;
  readonly [custom: string]: unknown;
}

/** Who sends a request. No query was made, and none is needed to read it. */
export class Principal {
  constructor(
    /** All claims, custom ones included. */
    readonly claims: PrincipalClaims,
    /** What the request was believed by: `session` for an access token of ours, else what its authenticator says. */
    readonly kind: string,
  ) {}

  /** The user's key, as a string whatever its column type. */
  get id(): string {
    return this.claims.sub;
  }

  /** Id of the session that the access token belongs to; undefined for a principal without a session. */
  get session(): string | undefined {
    return this.claims.session;
  }

  get role(): number {
    return this.claims.role;
  }

  get emailVerified(): boolean {
    return this.claims.email_verified;
  }
}
