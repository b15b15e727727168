import type { SessionService } from '../sessions/session.service.js';
import type { TokenFactory } from '../tokens/token-factory.js';
import type { UserService } from '../users/user.service.js';

/** Signs out. */
export class LogoutService {
  constructor(
    private readonly tokens: TokenFactory,
    private readonly users: UserService,
    private readonly sessions: SessionService,
  ) {}

  /** Ends the session of a refresh token, whatever its generation; again changes nothing. @throws token_not_valid */
  async logout(refreshToken: string): Promise<void> {
    await this.sessions.revoke(this.tokens.verifyRefresh(refreshToken));
  }

  /** Ends every session of the user of a `sub` claim. @throws token_not_valid when it names nobody */
  async logoutAll(sub: string): Promise<void> {
    await this.sessions.revokeAll(this.users.keyOf(sub));
  }
}
