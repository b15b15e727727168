import { Clock, toSeconds } from '../clock.js';
import { authAge } from '../tokens/auth-age.js';

/** Claims about the sender of a request. The claims of an access token have this shape too. */
export interface PrincipalClaims {
  /** The user's primary key, as a string for every column type. */
  readonly sub: string;
  readonly role: number;
  readonly email_verified: boolean;
  /** The session id; undefined for a principal without a session. */
  readonly session?: string;
  /** The methods by which the user authenticated (RFC 8176). */
  readonly amr?: readonly string[];
  /** When the user last authenticated, in seconds since the epoch (OpenID Connect Core §2). */
  readonly auth_time?: number;
  readonly [custom: string]: unknown;
}

const SYSTEM_CLOCK = new Clock();

/** The sender of a request. Creating and reading it needs no database query. */
export class Principal {
  readonly #clock: Clock;

  constructor(
    /** All claims, including custom ones. */
    readonly claims: PrincipalClaims,
    /**
     * How the request was authenticated: `session` for an access token of the library, otherwise the kind that the
     * authenticator chose.
     */
    readonly kind: string,
    clock = SYSTEM_CLOCK,
  ) {
    this.#clock = clock;
  }

  /** The user's primary key, as a string for every column type. */
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

  /** The methods by which the user authenticated (RFC 8176), such as `pwd`, `otp` and `mfa`. Empty if not known. */
  get amr(): readonly string[] {
    const { amr } = this.claims;
    return Array.isArray(amr) ? amr.filter((method) => typeof method === 'string') : [];
  }

  /** When the user last authenticated, in seconds since the epoch. Undefined if not known. */
  get authTime(): number | undefined {
    const { auth_time } = this.claims;
    return Number.isSafeInteger(auth_time) ? auth_time : undefined;
  }

  /** How long ago the user authenticated, in seconds. Undefined if not known, or more than a minute in the future. */
  get authAge(): number | undefined {
    return authAge(this.authTime, toSeconds(this.#clock.now()));
  }
}
