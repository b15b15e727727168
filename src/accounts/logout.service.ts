import { isTokenNotValid } from '../error.js';
import type { SessionReference, SessionService } from '../sessions/session.service.js';
import type { TokenFactory } from '../tokens/token-factory.js';

/** Signs out. */
export class LogoutService {
  constructor(
    private readonly tokens: TokenFactory,
    private readonly sessions: SessionService,
  ) {}

  /** Ends the session of a refresh token, whatever its generation; again changes nothing. @throws token_not_valid */
  async logout(refreshToken: string): Promise<void> {
    await this.sessions.revoke(this.tokens.verifyRefresh(refreshToken), { reason: 'logout' });
  }

  /** Ends the sessions of all the tokens of one client that are valid. @throws token_not_valid if there is none */
  async logoutAny(refreshTokens: readonly string[]): Promise<void> {
    const refused: unknown[] = [];
    for (const token of refreshTokens) {
      try {
        await this.logout(token);
      } catch (error) {
        if (!isTokenNotValid(error)) throw error;
        refused.push(error);
      }
    }
    if (refused.length === refreshTokens.length) throw refused[0];
  }

  /** Ends every session of the caller's user. @throws token_not_valid when the caller's own has ended */
  async logoutAll(caller: SessionReference): Promise<void> {
    await this.sessions.revokeFor(caller, 'all');
  }
}
