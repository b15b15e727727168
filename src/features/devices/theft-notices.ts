import type { EntityManager } from '@mikro-orm/postgresql';
import type { AuthKernel } from '../../kernel.js';

/**
 * Mails the user when a session was revoked because its refresh token was copied. The mail does not delay the
 * revocation.
 */
export class TheftNotices {
  constructor(private readonly kernel: Pick<AuthKernel, 'users' | 'mails' | 'backgroundJobs' | 'events'>) {
    const { backgroundJobs } = kernel;
    backgroundJobs.handle<{ user: string }>('theft notice', ({ user }, em) => this.#notify(user, em));
  }

  /** Starts to listen, if mails are enabled. */
  listen(): void {
    const { mails, events, backgroundJobs } = this.kernel;
    if (!mails.isOn) return;
    events.on('session.reuse-detected', ({ reuse, user }) => {
      return reuse === 'replay' && backgroundJobs.enqueue('theft notice', { user });
    });
  }

  async #notify(sub: string, em: EntityManager): Promise<void> {
    const { email } = await this.kernel.users.getActive(em, sub);
    await this.kernel.mails.sendNotice('session-stolen', email, em);
  }
}
