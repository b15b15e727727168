import type { Request } from 'express';
import { SessionPrincipal } from 'jwt-allauth';
import { Authorized, CurrentUser, Get, HttpError, JsonController, Post, Req } from 'routing-controllers';
import { Service } from 'typedi';
import { type CookieToken, TokenFamilies } from './token-families.js';
import { shortOf } from './token-family.js';

/**
 * Plays malware on the owner's machine: it can copy the cookie that no script of a page can read. Only in development,
 * only with the caller's own session; no answer has a token in it.
 */
@Service()
@Authorized()
@JsonController('/theft')
export class TheftController {
  constructor(private readonly families: TokenFamilies) {}

  /** What was seen of the refresh tokens of the caller's session. */
  @Get('/family')
  family(@CurrentUser() user: SessionPrincipal) {
    return { family: this.families.of(user.session).story() };
  }

  /** Copies the refresh token of the request. */
  @Post('/copy')
  copy(@CurrentUser() user: SessionPrincipal, @Req() request: Request) {
    const { pair, claims } = this.#ownToken(user, request);
    const family = this.families.of(user.session);
    family.copied(shortOf(claims.jti), pair);
    return { family: family.story() };
  }

  /** Refreshes with the copy, over HTTP as anybody would, and keeps what comes back. */
  @Post('/refresh')
  async refresh(@CurrentUser() user: SessionPrincipal, @Req() request: Request) {
    const family = this.families.of(user.session);
    const loot = family.loot && this.families.read([family.loot]);
    if (!loot) throw new HttpError(409, 'The thief has no copy yet.');
    const response = await fetch(`${addressOf(request)}/auth/refresh`, {
      method: 'POST',
      // who steals a cookie knows the browser as well: the list of devices tells nothing
      headers: {
        Cookie: loot.pair,
        'User-Agent': request.headers['user-agent'] ?? '',
        [this.families.mark.name]: this.families.mark.value,
      },
    });
    const received = this.families.read(response.headers.getSetCookie().map((line) => line.split(';')[0] ?? ''));
    if (received) family.keep(received.pair);
    const { code } = (await response.json()) as { code?: string };
    const presented = shortOf(loot.claims.jti);
    return {
      outcome: { status: response.status, code, presented, received: received && shortOf(received.claims.jti) },
      family: family.story(),
    };
  }

  #ownToken(user: SessionPrincipal, request: Request): CookieToken {
    const token = this.families.presentedBy(request);
    if (token?.claims.session !== user.session) throw new HttpError(409, 'There is no refresh token of this session.');
    return token as CookieToken;
  }
}

/** Where this very server listens: not what a Host header says. */
function addressOf({ socket: { localAddress = '', localPort } }: Request): string {
  return `http://${localAddress.includes(':') ? `[${localAddress}]` : localAddress}:${localPort}`;
}
