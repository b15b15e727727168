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

  /** Ends every session of the caller's user. @throws token_not_valid when the caller's own has ended */
  async logoutAll(caller: SessionReference): Promise<void> {
    await this.sessions.revokeFor(caller, 'all');
  }
}
