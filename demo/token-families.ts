import { randomUUID } from 'node:crypto';
import type { Request, Response } from 'express';
import type { TokenFactory } from 'jwt-allauth';
import { type CookieToken, tokenAmong, tokenOf } from './cookie-token.js';
import { type Holder, shortIdOf, TokenFamily } from './token-family.js';

/** Maximum number of sessions that are recorded; the oldest is removed. */
const MAX_FAMILIES = 500;

/** The refresh token families of the sessions that this process has seen. */
export class TokenFamilies {
  /** The header that marks requests of the thief, with a value that no one else knows. */
  readonly mark = { name: 'x-demo-thief', value: randomUUID() };
  readonly #families = new Map<string, TokenFamily>();

  constructor(
    private readonly tokens: TokenFactory,
    private readonly graceSeconds: number,
  ) {}

  find(session: string): TokenFamily | undefined {
    return this.#families.get(session);
  }

  of(session: string): TokenFamily {
    const family = this.#families.get(session) ?? new TokenFamily(this.graceSeconds);
    this.#families.set(session, family);
    const [oldest = ''] = this.#families.keys();
    if (this.#families.size > MAX_FAMILIES) this.#families.delete(oldest);
    return family;
  }

  /** The refresh token among cookies: the one that this server signed. */
  read(cookies: readonly string[]): CookieToken | undefined {
    return tokenAmong(cookies, this.tokens);
  }

  /** The refresh token of a request. */
  presentedBy(request: Pick<Request, 'headers'>): CookieToken | undefined {
    return tokenOf(request, this.tokens);
  }

  /** Records an answer of the auth endpoints in the history of its session. */
  record(request: Request, response: Response): void {
    const presented = request.originalUrl.split('?')[0] === '/auth/refresh' ? this.presentedBy(request) : undefined;
    const cookies = [response.getHeader('set-cookie') ?? []].flat().map((line) => String(line).split(';')[0] ?? '');
    const received = this.read(cookies);
    const by = request.headers[this.mark.name] === this.mark.value ? 'thief' : 'owner';
    const first = presented && shortIdOf(presented.claims.jti);
    const second = received && shortIdOf(received.claims.jti);
    const claims = (received ?? presented)?.claims;
    if (!claims) return;
    const family = this.of(claims.session);
    family.isBound ||= claims.cnf !== undefined;
    if (first && second) family.recordRefresh(by, first, second);
    else if (second) family.recordOpening(second);
    else if (first && response.statusCode === 401) recordRefusal(family, by, first, response);
  }
}

/** Records why a refresh was refused. If only a nonce is missing, the client sends the request again. */
function recordRefusal(family: TokenFamily, by: Holder, presented: string, response: Response): void {
  const [, error] = /^DPoP error="(\w+)"/.exec(String(response.getHeader('www-authenticate'))) ?? [];
  if (error === 'invalid_dpop_proof') family.recordNoKey(by, presented);
  else if (error !== 'use_dpop_nonce') family.recordRefusal(by, presented);
}
