import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import type { Journal } from '../observability/journal.js';
import type { SessionService } from '../sessions/session.service.js';
import type { UserId } from '../users/base-user.entity.js';
import type { UserService } from '../users/user.service.js';

/** Takes an account out of use. */
export class DeactivationService {
  constructor(
    private readonly database: Database,
    private readonly users: UserService,
    private readonly sessions: SessionService,
    private readonly journal: Journal,
    private readonly clock: Clock,
  ) {}

  /**
   * Deactivates a user and ends every session, in one transaction. When it returns, no login and no rotation that was under
   * way can leave a live session behind. A user who is set inactive in any other way loses the sessions at their next use.
   */
  async deactivate(id: UserId): Promise<void> {
    await this.database.transaction(async (em) => {
      const found = await em.nativeUpdate(this.users.entity, { id } as never, { isActive: false } as never);
      await this.sessions.revokeAll(id, { em, reason: 'deactivation' });
      const event = { user: String(id), at: new Date(this.clock.now()) };
      if (found > 0) await this.journal.record([['user.deactivated', event]], em);
    });
  }
}
