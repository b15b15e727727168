import { isTokenNotValid } from '../error.js';
import type { TokenFactory } from '../tokens/token-factory.js';
import type { SessionReference, SessionService } from './session.service.js';

/** Signs out. */
export class LogoutService {
  constructor(
    protected readonly kernel: {
      readonly tokens: TokenFactory;
      readonly sessions: SessionService;
    },
  ) {}

  /** Ends the session of a refresh token, whatever its generation; again changes nothing. @throws token_not_valid */
  async logout(refreshToken: string): Promise<void> {
    await this.kernel.sessions.revoke(this.kernel.tokens.verifyRefresh(refreshToken), { reason: 'logout' });
  }

  /** Ends the sessions of all tokens of one client that are valid. @throws token_not_valid if none is */
  async logoutAny(refreshTokens: readonly string[]): Promise<void> {
    const refused = await this.#each(refreshTokens, (token) => this.logout(token));
    if (refused.length === refreshTokens.length) throw refused[0];
  }

  /** The sessions of the tokens that are valid; the others do nothing. */
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

  /**
   * Ends the sessions of tokens that a new sign-in of the same client has replaced; tokens that are not valid do
   * nothing.
   */
  async supersede(refreshTokens: readonly string[]): Promise<void> {
    await this.#each(refreshTokens, (token) =>
      this.kernel.sessions.revoke(this.kernel.tokens.verifyRefresh(token), { reason: 'superseded' }),
    );
  }

  /** Ends every session of the caller's user. @throws token_not_valid when the caller's own has ended */
  async logoutAll(caller: SessionReference): Promise<void> {
    await this.kernel.sessions.revokeFor(caller, 'all');
  }

  /** Runs `end` for each token, and returns the errors of those that are not valid. */
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
