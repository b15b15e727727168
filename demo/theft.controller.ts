import type { Request } from 'express';
import { SessionPrincipal } from 'jwt-allauth';
import { Authorized, CurrentUser, Get, HttpError, JsonController, Post, Req } from 'routing-controllers';
import { Service } from 'typedi';
import type { CookieToken } from './cookie-token.js';
import { TokenFamilies } from './token-families.js';
import { shortIdOf } from './token-family.js';

/**
 * Plays malware on the owner's machine, which can copy the cookie that no script can read. It runs only in development
 * and only on the caller's own session, and no answer contains a token.
 */
@Service()
@Authorized()
@JsonController('/theft')
export class TheftController {
  constructor(private readonly families: TokenFamilies) {}

  /** The known history of the session's refresh tokens. */
  @Get('/family')
  family(@CurrentUser() user: SessionPrincipal) {
    return { family: this.families.of(user.session).history() };
  }

  /** Copies the refresh token of the request. */
  @Post('/copy')
  copy(@CurrentUser() user: SessionPrincipal, @Req() request: Request) {
    const { pair, claims } = this.#tokenOf(user, request);
    const family = this.families.of(user.session);
    family.recordCopy(shortIdOf(claims.jti), pair);
    return { family: family.history() };
  }

  /** Refreshes with the copy over HTTP, as a thief would, and keeps the new token. */
  @Post('/refresh')
  async refresh(@CurrentUser() user: SessionPrincipal, @Req() request: Request) {
    const family = this.families.of(user.session);
    const stolen = family.stolen && this.families.read([family.stolen]);
    if (!stolen) throw new HttpError(409, 'The thief has no copy yet.');
    const response = await fetch(`${addressOf(request)}/auth/refresh`, {
      method: 'POST',
      // a thief knows the browser too, so the list of devices looks the same
      headers: {
        Cookie: stolen.pair,
        'User-Agent': request.headers['user-agent'] ?? '',
        [this.families.mark.name]: this.families.mark.value,
      },
    });
    const received = this.families.read(response.headers.getSetCookie().map((line) => line.split(';')[0] ?? ''));
    if (received) family.keepStolen(received.pair);
    const { code } = (await response.json()) as { code?: string };
    const presented = shortIdOf(stolen.claims.jti);
    return {
      outcome: { status: response.status, code, presented, received: received && shortIdOf(received.claims.jti) },
      family: family.history(),
    };
  }

  #tokenOf(user: SessionPrincipal, request: Request): CookieToken {
    const token = this.families.presentedBy(request);
    if (token?.claims.session !== user.session)
      throw new HttpError(409, 'The request has no refresh token of this session.');
    return token as CookieToken;
  }
}

/** The address of this server itself, not the Host header. */
function addressOf({ socket: { localAddress = '', localPort } }: Request): string {
  return `http://${localAddress.includes(':') ? `[${localAddress}]` : localAddress}:${localPort}`;
}
