import { authError } from '../error-table.js';

/**
 * Claims that this library sets. A custom claim of one of these names is refused at sign-in, never silently replaced.
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
] as const;

/** What a token is for: calls, or a refresh. */
export type TokenType = 'access' | 'refresh';

/** What an app adds to its tokens: anything that JSON can carry. */
export type CustomClaims = Record<string, unknown>;

/** The claims of a token that was verified. Instants are whole seconds since the epoch (NumericDate, RFC 7519 §2). */
export interface TokenClaims {
  /** The user's key, as a string. */
  readonly sub: string;
  readonly jti: string;
  readonly iat: number;
  readonly exp: number;
  readonly iss?: string;
  readonly aud?: string;
  readonly token_type: TokenType;
  /** Id of the session. */
  readonly session: string;
  /** When the session was opened. */
  readonly session_iat: number;
  readonly role: number;
  readonly email_verified: boolean;
  /** How the user proved who they are (RFC 8176); missing in a token that an older version has signed. */
  readonly amr?: readonly string[];
  /** When the user last proved it (OpenID Connect Core §2); missing where `amr` is. */
  readonly auth_time?: number;
  readonly [custom: string]: unknown;
}

/** Refuses custom claims that have a name of ours. @throws reserved_claim that names it */
export function assertNotReserved(claims: CustomClaims): void {
  const taken = RESERVED_CLAIMS.find((claim) => Object.hasOwn(claims, claim));
  if (taken) throw authError('reserved_claim', { detail: `The claim "${taken}" is reserved; choose another name.` });
}
