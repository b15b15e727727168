/** Claims about the sender of a request. The claims of an access token have this shape too. */
export interface PrincipalClaims {
  /** The user's primary key as a string, whatever its column type. */
  readonly sub: string;
  readonly role: number;
  readonly email_verified: boolean;
  /** The session id; undefined for a principal without a session. */
  readonly session?: string;
  readonly [custom: string]: unknown;
}

/** The sender of a request. Creating and reading it needs no database query. */
export class Principal {
  constructor(
    /** All claims, including custom ones. */
    readonly claims: PrincipalClaims,
    /**
     * How the request was authenticated: `session` for an access token of the library, otherwise the kind that the
     * authenticator chose.
     */
    readonly kind: string,
  ) {}

  /** The user's primary key as a string, whatever its column type. */
  get id(): string {
    return this.claims.sub;
  }

  /** The id of the session to which the access token belongs; undefined for a principal without a session. */
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
