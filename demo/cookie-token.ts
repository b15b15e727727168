import type { Request } from 'express';
import type { TokenClaims, TokenFactory } from 'jwt-allauth';

/** A refresh token as a cookie, with its claims. */
export interface CookieToken {
  /** `name=value` */
  readonly pair: string;
  readonly claims: TokenClaims;
}

/** The refresh token among cookies: the one that this server signed. */
export function tokenAmong(cookies: readonly string[], tokens: TokenFactory): CookieToken | undefined {
  for (const pair of cookies) {
    try {
      return { pair, claims: tokens.readRefresh(pair.slice(pair.indexOf('=') + 1)) };
    } catch {} // a different cookie
  }
  return undefined;
}

/** The refresh token in the cookies of a request. */
export function tokenOf({ headers }: Pick<Request, 'headers'>, tokens: TokenFactory): CookieToken | undefined {
  return tokenAmong((headers.cookie ?? '').split(/;\s*/), tokens);
}
