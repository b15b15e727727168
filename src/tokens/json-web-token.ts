import jwt from 'jsonwebtoken';
import { tokenNotValid } from '../error-table.js';
import { isUuid } from '../users/user-key.js';
import type { TokenClaims, TokenType } from './claims.js';
import type { SigningKey, SigningKeys } from './signing-keys.js';

/** `typ` headers, explicit so that one kind never passes for the other (RFC 9068 §2.1, RFC 8725 §3.11). */
const TYP: Readonly<Record<TokenType, string>> = { access: 'at+jwt', refresh: 'rt+jwt' };

/** The only header parameters we write; `crit`, `jwk`, `jku`, `x5u` and whatever else is no token of ours. */
const HEADER = ['alg', 'kid', 'typ'];

/** Who must have issued a token and for whom, both undefined where the app sets none. */
interface TokenIssuer {
  readonly issuer?: string;
  readonly audience?: string;
}

/** Signs claims with the signing key as a compact JWS (RFC 7515 §7.1). */
export function signToken(claims: TokenClaims, keys: SigningKeys): string {
  const { id, algorithm, key } = keys.signing;
  return jwt.sign(claims, key, { algorithm, keyid: id, header: { alg: algorithm, typ: TYP[claims.token_type] } });
}

/** What a verified token says, and with which key it was signed. */
export interface VerifiedToken {
  readonly claims: TokenClaims;
  readonly key: SigningKey;
}

/**
 * Verifies a token that we signed, whether or not it has expired.
 *
 * @throws token_not_valid unless signature, header and every claim of ours have exactly the form that we give them
 */
export function verifySignature(token: string, type: TokenType, keys: SigningKeys, from: TokenIssuer): VerifiedToken {
  assertText(token);
  const header = readPart(token.split('.', 1)[0] ?? '');
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
 * Whether a text says of itself that it is a token of this library: it names one of these keys, or is a refresh token.
 * Nothing was verified.
 */
export function hasOwnHeader(text: string, keys: SigningKeys): boolean {
  try {
    const { kid, typ } = readPart(text.split('.', 1)[0] ?? '');
    return typ === TYP.refresh || (typeof kid === 'string' && keys.find(kid) !== undefined);
  } catch {
    return false;
  }
}

/** Refuses what is not even a string, as plain JavaScript may pass it. @throws token_not_valid */
export function assertText(token: unknown): void {
  if (typeof token !== 'string') throw tokenNotValid('malformed');
}

/**
 * Whether the token says of itself that it is over at `now` (seconds since the epoch). Nothing was verified: it is good
 * for refusing such a token without the work of a signature, and for nothing else.
 */
export function isExpiredUnverified(token: string, now: number): boolean {
  const { exp } = readPart(token.split('.', 2)[1] ?? '');
  return typeof exp === 'number' && exp <= now;
}

function readPart(part: string): Record<string, unknown> {
  // Whatever begins with `{"` encodes to this: garbage is refused without the cost of an exception of JSON.parse.
  if (!part.startsWith('eyJ')) throw tokenNotValid('malformed');
  try {
    const content: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return typeof content === 'object' && content !== null ? (content as Record<string, unknown>) : {};
  } catch {
    throw tokenNotValid('malformed');
  }
}

/**
 * Whether a signature is written the one way that base64url has for it; the last character may have bits that no byte
 * has.
 */
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
  const { amr, auth_time } = claims as Partial<TokenClaims>;
  return (
    typeof sub === 'string' &&
    sub !== '' &&
    isUuid(jti) &&
    isUuid(session) &&
    [iat, exp, session_iat, role].every(Number.isSafeInteger) &&
    typeof email_verified === 'boolean' &&
    (amr === undefined || (Array.isArray(amr) && amr.every((method) => typeof method === 'string'))) &&
    (auth_time === undefined || Number.isSafeInteger(auth_time)) &&
    token_type === type
  );
}
