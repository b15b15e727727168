import type { EntityManager } from '@mikro-orm/postgresql';
import { authError, tokenNotValid } from '../error-table.js';
import type { Journal } from '../observability/journal.js';
import type { TokenClaims } from '../tokens/claims.js';
import type { UserService } from '../users/user.service.js';
import type { ReuseReports } from './reuse-reports.js';
import type { SessionService } from './session.service.js';
import type { SessionEndings } from './session-endings.js';

/** Ends sessions of which a used refresh token was presented again. */
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
   * @throws refresh_token_reused; token_not_valid if another request has ended the session meanwhile
   */
  async refuse(claims: TokenClaims): Promise<never> {
    if (!(await this.#end(claims))) {
      this.kernel.reuseReports.report('revoked-session', claims);
      throw tokenNotValid('revoked-session');
    }
    throw authError('refresh_token_reused', { reason: 'replay' });
  }

  /**
   * Ends the session in a separate transaction, committed before the response: a later failure of this request cannot
   * undo it. If the transaction fails, the replay is still reported. With AUDIT_LOG, the session is then ended without
   * the log.
   *
   * @returns false if another request has ended the session meanwhile
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
      if (this.kernel.journal.isAuditing) await this.#endWithoutLog(claims);
      throw error;
    }
  }

  async #endWithoutLog({ session: id, sub }: TokenClaims): Promise<void> {
    const ended = await this.kernel.sessionEndings.endOne(id, this.kernel.users.keyOf(sub));
    for (const { session, user } of ended)
      this.kernel.journal.emit(['session.revoked', { session, user, reason: 'replay' }]);
  }
}
