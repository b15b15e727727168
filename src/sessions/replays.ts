import type { EntityManager } from '@mikro-orm/postgresql';
import { authError, tokenNotValid } from '../error-table.js';
import type { Journal } from '../observability/journal.js';
import type { TokenClaims } from '../tokens/claims.js';
import type { UserService } from '../users/user.service.js';
import type { ReuseReports } from './reuse-reports.js';
import type { SessionService } from './session.service.js';
import type { SessionEndings } from './session-endings.js';

/** Ends the sessions of which a copied refresh token was found. */
export class Replays {
  constructor(
    protected readonly kernel: {
      readonly sessions: SessionService;
      readonly sessionEndings: SessionEndings;
      readonly users: UserService;
      readonly journal: Journal;
      readonly reuseReports: ReuseReports;
    },
  ) {}

  /**
   * Ends the session of a replayed token and refuses the token.
   *
   * @throws refresh_token_reused; token_not_valid where somebody else has ended the session meanwhile
   */
  async refuse(claims: TokenClaims): Promise<never> {
    if (!(await this.#end(claims))) {
      this.kernel.reuseReports.report('revoked-session', claims);
      throw tokenNotValid('revoked-session');
    }
    throw authError('refresh_token_reused', { reason: 'replay' });
  }

  /**
   * Ends the session, on a connection of its own and committed before the answer: no failure of this request takes it
   * back, and none of the audit log keeps it alive. False: somebody else has ended it meanwhile. A theft is reported
   * even if we never learn whether the statement arrived.
   */
  async #end(claims: TokenClaims): Promise<boolean> {
    try {
      const isEnded = await this.kernel.journal.runAudited(async (em: EntityManager) => {
        const ended = await this.kernel.sessions.revoke(claims, { em, reason: 'replay' });
        if (ended) await this.kernel.journal.record([this.kernel.reuseReports.event('replay', claims)], em);
        return ended;
      });
      if (isEnded) this.kernel.reuseReports.log('replay', claims);
      return isEnded;
    } catch (error) {
      this.kernel.reuseReports.report('replay', claims);
      if (this.kernel.journal.isAuditing)
        await this.kernel.sessionEndings.endOne(claims.session, this.kernel.users.keyOf(claims.sub));
      throw error;
    }
  }
}
