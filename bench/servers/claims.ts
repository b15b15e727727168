import { PERMISSIONS } from './serve.js';

/** The claims of an access token of this library, so that the tokens of all servers have the same length. */
export function claimsOf(user: string, now = Math.floor(Date.now() / 1000)) {
  return {
    permissions: PERMISSIONS,
    sub: user,
    jti: crypto.randomUUID(),
    iat: now,
    exp: now + 3600,
    token_type: 'access',
    session: crypto.randomUUID(),
    session_iat: now,
    role: 0,
    email_verified: true,
  };
}
