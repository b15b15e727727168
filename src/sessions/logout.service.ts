import { isTokenNotValid } from '../error.js';
import type { TokenFactory } from '../tokens/token-factory.js';
import type { SessionReference, SessionService } from './session.service.js';

/** Signs users out. */
export class LogoutService {
  constructor(
    protected readonly kernel: {
      readonly tokens: TokenFactory;
      readonly sessions: SessionService;
    },
  ) {}

  /** Ends the session of a refresh token, live or used, unless the session has ended. @throws token_not_valid */
  async logout(refreshToken: string): Promise<void> {
    await this.kernel.sessions.revoke(this.kernel.tokens.verifyRefresh(refreshToken), { reason: 'logout' });
  }

  /** Ends the sessions of all valid tokens of one client. @throws token_not_valid if none is valid */
  async logoutAny(refreshTokens: readonly string[]): Promise<void> {
    const refused = await this.#each(refreshTokens, (token) => this.logout(token));
    if (refused.length === refreshTokens.length) throw refused[0];
  }

  /** The sessions of the valid tokens. Ignores the others. */
  sessionsOf(refreshTokens: readonly string[]): SessionReference[] {
    return refreshTokens.flatMap((token) => {
      try {
        return [this.kernel.tokens.verifyRefresh(token)];
      } catch (error) {
        if (!isTokenNotValid(error)) throw error;
        return [];
      }
    });
  }

  /** Ends the sessions of tokens that a new sign-in of the same client has replaced. Ignores invalid tokens. */
  async supersede(refreshTokens: readonly string[]): Promise<void> {
    await this.#each(refreshTokens, (token) =>
      this.kernel.sessions.revoke(this.kernel.tokens.verifyRefresh(token), { reason: 'superseded' }),
    );
  }

  /** Ends all sessions of the caller's user. @throws token_not_valid if the caller's session has ended */
  async logoutAll(caller: SessionReference): Promise<void> {
    await this.kernel.sessions.revokeFor(caller, 'all');
  }

  /** Runs `end` for each token. Returns the errors of invalid tokens. */
  async #each(refreshTokens: readonly string[], end: (token: string) => Promise<unknown>): Promise<unknown[]> {
    const refused: unknown[] = [];
    for (const token of refreshTokens) {
      try {
        await end(token);
      } catch (error) {
        if (!isTokenNotValid(error)) throw error;
        refused.push(error);
      }
    }
    return refused;
  }
}
