import { randomUUID } from 'node:crypto';
import type { Request, Response } from 'express';
import type { TokenClaims, TokenFactory } from 'jwt-allauth';
import { shortIdOf, TokenFamily } from './token-family.js';

/** Maximum number of sessions that are recorded; the oldest is removed. */
const MAX_FAMILIES = 500;

/** A refresh token as a cookie, with its claims. */
export interface CookieToken {
  /** `name=value` */
  readonly pair: string;
  readonly claims: TokenClaims;
}

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
    for (const pair of cookies) {
      try {
        return { pair, claims: this.tokens.readRefresh(pair.slice(pair.indexOf('=') + 1)) };
      } catch {} // a different cookie
    }
    return undefined;
  }

  /** The refresh token of a request. */
  presentedBy({ headers }: Pick<Request, 'headers'>): CookieToken | undefined {
    return this.read((headers.cookie ?? '').split(/;\s*/));
  }

  /** Records an answer of the auth endpoints in the history of its session. */
  record(request: Request, response: Response): void {
    const presented = request.originalUrl.split('?')[0] === '/auth/refresh' ? this.presentedBy(request) : undefined;
    const cookies = [response.getHeader('set-cookie') ?? []].flat().map((line) => String(line).split(';')[0] ?? '');
    const received = this.read(cookies);
    const by = request.headers[this.mark.name] === this.mark.value ? 'thief' : 'owner';
    const first = presented && shortIdOf(presented.claims.jti);
    const second = received && shortIdOf(received.claims.jti);
    const session = (presented ?? received)?.claims.session;
    if (!session) return;
    if (first && second) this.of(session).recordRefresh(by, first, second);
    else if (second) this.of(session).recordOpening(second);
    else if (first && response.statusCode === 401) this.of(session).recordRefusal(by, first);
  }
}
