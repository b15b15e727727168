import type { EntityManager } from '@mikro-orm/postgresql';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';

/** Mails who forgot their password a link to set a new one (`PasswordSetter`). */
export class PasswordResetService {
  constructor(
    protected readonly kernel: Pick<AuthKernel, 'users' | 'accounts' | 'mailLimiter' | 'mails' | 'deferredWork'>,
  ) {
    const { deferredWork: deferred } = kernel;
    deferred.handle<{ email: string }>('password reset', ({ email }, em) => this.#mail(email, em));
  }

  /**
   * Mails a link to an active user, unless it is one whose invitation has expired. For any other address nothing
   * happens, in the same time: what is done is written down first, and follows the answer.
   *
   * @throws too_many_requests, service_unavailable
   */
  async request(email: string, client: SessionClient): Promise<void> {
    await this.kernel.mailLimiter.countMail('password-reset', email, client);
    await this.kernel.deferredWork.later('password reset', { email });
  }

  async #mail(email: string, em: EntityManager): Promise<void> {
    const user = await this.kernel.users.findByEmail(email, em);
    if (!user?.isActive) return;
    // An invitation that has expired is over: a reset must not take its place.
    if (await this.kernel.accounts.hasExpiredInvitation(user.id, em)) return;
    await this.kernel.mails.sendLink('password-reset', user.id, user.email, em);
  }
}
