import { authError } from '../error-table.js';

/**
 * Names that the app's own claims cannot have: the claims that the library sets, `nbf`, which is checked when a token
 * is verified, and `cnf`, which names the key of a token (RFC 7800). A custom claim with such a name is refused when a
 * token is made.
 */
export const RESERVED_CLAIMS = [
  'sub',
  'jti',
  'iat',
  'exp',
  'nbf',
  'iss',
  'aud',
  'token_type',
  'session',
  'session_iat',
  'role',
  'email_verified',
  'amr',
  'auth_time',
  'cnf',
] as const;

/** The kind of a token: the value of its claim `token_type`. */
export type TokenType = 'access' | 'refresh';

/** The app's own claims, by name. The values must be JSON values. */
export type CustomClaims = Record<string, unknown>;

/** The claim `cnf` (RFC 7800): the thumbprint of a public key (RFC 7638, SHA-256). */
export interface KeyConfirmation {
  readonly jkt: string;
}

/** The claims of a verified token. Instants are whole seconds since the epoch (NumericDate, RFC 7519 §2). */
export interface TokenClaims {
  /** The user's primary key, as a string. */
  readonly sub: string;
  readonly jti: string;
  readonly iat: number;
  readonly exp: number;
  readonly iss?: string;
  readonly aud?: string;
  readonly token_type: TokenType;
  /** Id of the session. */
  readonly session: string;
  /** When the session was opened. A refresh does not change it. */
  readonly session_iat: number;
  readonly role: number;
  readonly email_verified: boolean;
  /** The methods by which the user authenticated (RFC 8176). Missing in tokens from older versions of the library. */
  readonly amr?: readonly string[];
  /**
   * When the user last authenticated (OpenID Connect Core §2). A refresh does not change it. Missing in tokens from
   * older versions of the library.
   */
  readonly auth_time?: number;
  /** The key to which the session is bound (RFC 9449 §6). Missing if it is not bound. */
  readonly cnf?: KeyConfirmation;
  readonly [custom: string]: unknown;
}

/** @throws reserved_claim if a custom claim has a reserved name */
export function assertNotReserved(claims: CustomClaims): void {
  const taken = RESERVED_CLAIMS.find((claim) => Object.hasOwn(claims, claim));
  if (taken) throw authError('reserved_claim', { detail: `The claim "${taken}" is reserved; choose another name.` });
}
