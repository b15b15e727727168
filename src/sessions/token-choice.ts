import type { EntityManager } from '@mikro-orm/postgresql';
import { type Clock, toSeconds } from '../clock.js';
import type { Database } from '../database/database.js';
import { isTokenNotValid } from '../error.js';
import type { Settings } from '../settings/settings.js';
import type { TokenFactory } from '../tokens/token-factory.js';
import type { UserService } from '../users/user.service.js';
import { type RefreshTokenStatus, refreshTokenStatus } from './refresh-token-status.js';
import type { SessionStore } from './session-store.js';

/** Statuses with which a token can be refreshed, in the order of preference. */
const USABLE: readonly RefreshTokenStatus[] = ['live', 'newer', 'parent'];

/** Whether a token is bound, in the order of preference: to the key of the client, not at all, or to another key. */
const BINDINGS = ['own', 'none', 'other'] as const;

/** The others, in this order. `dead`: expired, or its session is not live. `foreign`: not a token of this app. */
const UNUSABLE = ['used', 'dead', 'foreign'] as const;

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

  /**
   * The first token in the order of preference. Changes nothing. With a single token there is no query.
   *
   * @param keyThumbprint the key of the proof: the client's own token counts, not a cookie that another host has set
   */
  async best(tokens: readonly string[], keyThumbprint?: string): Promise<string> {
    if (tokens.length < 2) return tokens[0] ?? '';
    const em = this.kernel.database.fork();
    const lowest = rankOf('live', keyThumbprint === undefined ? 'none' : 'own');
    let best = { token: '', rank: Number.POSITIVE_INFINITY };
    for (const token of tokens) {
      const rank = await this.#rankOf(token, keyThumbprint, em);
      if (rank < best.rank) best = { token, rank };
      if (rank === lowest) break;
    }
    return best.token;
  }

  async #rankOf(token: string, keyThumbprint: string | undefined, em: EntityManager): Promise<number> {
    try {
      const claims = this.kernel.tokens.readRefresh(token);
      const now = this.kernel.clock.now();
      if (claims.exp <= toSeconds(now)) return rankOf('dead');
      const found = await this.kernel.sessionStore.find(claims.session, this.kernel.users.keyOf(claims.sub), em);
      if (!found?.session.enabled || !found.session.isUserActive) return rankOf('dead');
      const key = claims.cnf?.jkt;
      const binding = key === undefined ? 'none' : key === keyThumbprint ? 'own' : 'other';
      return rankOf(refreshTokenStatus(claims, found.session, this.kernel.settings.refreshReuseGrace, now), binding);
    } catch (error) {
      if (isTokenNotValid(error)) return rankOf('foreign');
      throw error;
    }
  }
}

/** The place in the order of preference. */
function rankOf(
  status: RefreshTokenStatus | (typeof UNUSABLE)[number],
  binding: (typeof BINDINGS)[number] = 'none',
): number {
  const place = USABLE.indexOf(status as RefreshTokenStatus);
  if (place >= 0) return BINDINGS.indexOf(binding) * USABLE.length + place;
  return USABLE.length * BINDINGS.length + UNUSABLE.indexOf(status as (typeof UNUSABLE)[number]);
}
