import type { EntityManager } from '@mikro-orm/postgresql';
import { type Clock, toSeconds } from '../clock.js';
import type { Database } from '../database/database.js';
import { isTokenNotValid } from '../error.js';
import type { Settings } from '../settings/settings.js';
import type { TokenFactory } from '../tokens/token-factory.js';
import type { UserService } from '../users/user.service.js';
import { type RefreshTokenStatus, refreshTokenStatus } from './refresh-token-status.js';
import type { SessionStore } from './session-store.js';

/** The order of preference. `dead`: expired, or its session is not live. `foreign`: not a token of this app. */
const ORDER = ['live', 'newer', 'parent', 'used', 'dead', 'foreign'] as const satisfies readonly (
  | RefreshTokenStatus
  | 'dead'
  | 'foreign'
)[];

/** Chooses one of several refresh tokens that a client has sent. */
export class TokenChoice {
  constructor(
    protected readonly kernel: {
      readonly database: Database;
      readonly sessionStore: SessionStore;
      readonly users: UserService;
      readonly tokens: TokenFactory;
      readonly settings: Settings;
      readonly clock: Clock;
    },
  ) {}

  /** The first token in the order of preference. Changes nothing. With a single token there is no query. */
  async best(tokens: readonly string[]): Promise<string> {
    if (tokens.length < 2) return tokens[0] ?? '';
    const em = this.kernel.database.fork();
    let best = { token: '', rank: ORDER.length as number };
    for (const token of tokens) {
      const rank = ORDER.indexOf(await this.#statusOf(token, em));
      if (rank < best.rank) best = { token, rank };
      if (rank === 0) break;
    }
    return best.token;
  }

  async #statusOf(token: string, em: EntityManager): Promise<(typeof ORDER)[number]> {
    try {
      const claims = this.kernel.tokens.readRefresh(token);
      const now = this.kernel.clock.now();
      if (claims.exp <= toSeconds(now)) return 'dead';
      const found = await this.kernel.sessionStore.find(claims.session, this.kernel.users.keyOf(claims.sub), em);
      if (!found?.session.enabled || !found.session.isUserActive) return 'dead';
      return refreshTokenStatus(claims, found.session, this.kernel.settings.refreshReuseGrace, now);
    } catch (error) {
      if (isTokenNotValid(error)) return 'foreign';
      throw error;
    }
  }
}
