import jwt from 'jsonwebtoken';
import { tokenNotValid } from '../error-table.js';
import { isUuid } from '../users/user-key.js';
import type { KeyConfirmation, TokenClaims, TokenType } from './claims.js';
import type { SigningKey, SigningKeys } from './signing-keys.js';

/** The `typ` headers. Explicit types prevent the use of one token as the other (RFC 9068 §2.1, RFC 8725 §3.11). */
const TYP: Readonly<Record<TokenType, string>> = { access: 'at+jwt', refresh: 'rt+jwt' };

/** The header parameters of a token. A token with any other, such as `crit`, `jwk`, `jku` or `x5u`, is refused. */
const HEADER = ['alg', 'kid', 'typ'];

/** The expected `iss` and `aud` of a token. Undefined if the app sets none. */
interface TokenIssuer {
  readonly issuer?: string;
  readonly audience?: string;
}

/** Signs claims with the signing key. Returns a compact JWS (RFC 7515 §7.1). */
export function signToken(claims: TokenClaims, keys: SigningKeys): string {
  const { id, algorithm, key } = keys.signing;
  return jwt.sign(claims, key, { algorithm, keyid: id, header: { alg: algorithm, typ: TYP[claims.token_type] } });
}

/** The claims of a verified token, and the key that verified it. */
export interface VerifiedToken {
  readonly claims: TokenClaims;
  readonly key: SigningKey;
}

/**
 * Verifies the signature of a token. Accepts expired tokens.
 *
 * @throws token_not_valid unless the signature is right, `iss` and `aud` are those of `from`, and header and claims
 * have the form that `signToken` gives them
 */
export function verifySignature(token: string, type: TokenType, keys: SigningKeys, from: TokenIssuer): VerifiedToken {
  assertString(token);
  const header = readHeader(token.split('.', 1)[0] ?? '');
  const isOfType = header.typ === TYP[type] && Object.keys(header).sort().join() === HEADER.join();
  if (!isOfType || typeof header.kid !== 'string') throw tokenNotValid('malformed');
  const key = keys.find(header.kid);
  if (!key) throw tokenNotValid('unknown-key');
  if (!isCanonical(token.slice(token.lastIndexOf('.') + 1))) throw tokenNotValid('wrong-signature');
  const claims = verify(token, key);
  if (!areTokenClaims(claims, type) || claims.iss !== from.issuer || claims.aud !== from.audience)
    throw tokenNotValid('malformed');
  return { claims, key };
}

/**
 * Whether a text has the header of a token of this library: it names one of these keys, or has the type of a refresh
 * token. Does not verify anything.
 */
export function hasOwnHeader(text: string, keys: SigningKeys): boolean {
  try {
    const { kid, typ } = readHeader(text.split('.', 1)[0] ?? '');
    return typ === TYP.refresh || (typeof kid === 'string' && keys.find(kid) !== undefined);
  } catch {
    return false;
  }
}

/** Refuses a value that is not a string, which plain JavaScript can pass. @throws token_not_valid */
export function assertString(token: unknown): void {
  if (typeof token !== 'string') throw tokenNotValid('malformed');
}

/**
 * Whether the `exp` claim of a token is in the past, without verifying the signature. Use it only to refuse such a
 * token early, without the cost of a verification.
 *
 * @param now seconds since the epoch
 * @throws token_not_valid if the claims cannot be read
 */
export function isExpiredUnverified(token: string, now: number): boolean {
  const { exp } = readPart(token.split('.', 2)[1] ?? '');
  return typeof exp === 'number' && exp <= now;
}

function readHeader(part: string): Record<string, unknown> {
  // `{"` and a letter are encoded as `eyJ`. This check refuses garbage without the cost of a JSON.parse error.
  if (!part.startsWith('eyJ')) throw tokenNotValid('malformed');
  return readPart(part);
}

function readPart(part: string): Record<string, unknown> {
  try {
    const content: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return typeof content === 'object' && content !== null ? (content as Record<string, unknown>) : {};
  } catch {
    throw tokenNotValid('malformed');
  }
}

/** Whether a signature has its canonical base64url form: the last character can have unused bits that are not zero. */
function isCanonical(signature: string): boolean {
  return Buffer.from(signature, 'base64url').toString('base64url') === signature;
}

function verify(token: string, { algorithm, key }: SigningKey): unknown {
  try {
    return jwt.verify(token, key, { algorithms: [algorithm], ignoreExpiration: true });
  } catch {
    throw tokenNotValid('wrong-signature');
  }
}

function areTokenClaims(claims: unknown, type: TokenType): claims is TokenClaims {
  if (typeof claims !== 'object' || claims === null) return false;
  const { sub, jti, iat, exp, token_type, session, session_iat, role, email_verified } = claims as Partial<TokenClaims>;
  const { amr, auth_time, cnf } = claims as Partial<TokenClaims>;
  return (
    typeof sub === 'string' &&
    sub !== '' &&
    isUuid(jti) &&
    isUuid(session) &&
    [iat, exp, session_iat, role].every(Number.isSafeInteger) &&
    typeof email_verified === 'boolean' &&
    (amr === undefined || (Array.isArray(amr) && amr.every((method) => typeof method === 'string'))) &&
    (auth_time === undefined || Number.isSafeInteger(auth_time)) &&
    (cnf === undefined || typeof (cnf as Partial<KeyConfirmation> | null)?.jkt === 'string') &&
    token_type === type
  );
}
