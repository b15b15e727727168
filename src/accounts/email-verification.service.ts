import type { EntityManager } from '@mikro-orm/postgresql';
import { isUniqueViolation } from '../database/constraint-violation.js';
import type { Database } from '../database/database.js';
import type { Journal } from '../observability/journal.js';
import type { SessionClient } from '../sessions/client-device.js';
import type { SessionService } from '../sessions/session.service.js';
import type { Settings } from '../settings/settings.js';
import type { OneTimeKey, OneTimeKeys } from '../tokens/one-time-keys.service.js';
import type { Tokens } from '../tokens/tokens.js';
import type { UserService } from '../users/user.service.js';
import type { AbandonedSignUps } from './abandoned-sign-ups.js';
import type { AccountMails } from './account-mails.js';
import type { DeferredWork } from './deferred-work.js';
import type { MailLimiter } from './mail-limiter.service.js';
import type { SignUpBrowsers } from './sign-up-browsers.js';

/** The keys that prove a mailbox by being opened. */
const PURPOSES = ['registration', 'email-verification', 'email-change'] as const;

/** Who opens a link. */
export interface Visitor extends SessionClient {
  /** What the browser was given at a sign-up (`SignUpBrowsers`), if it was there. */
  readonly marks?: readonly string[];
}

/** What opening a link brought. */
export interface Confirmation {
  /** A session, under SESSION_ON_EMAIL_VERIFICATION, for the browser that signed up. */
  readonly tokens?: Tokens;
}

/** Confirms addresses by links in mails. */
export class EmailVerificationService {
  constructor(
    private readonly database: Database,
    private readonly users: UserService,
    private readonly keys: OneTimeKeys,
    private readonly abandoned: AbandonedSignUps,
    private readonly browsers: SignUpBrowsers,
    private readonly limiter: MailLimiter,
    private readonly mails: AccountMails,
    private readonly deferred: DeferredWork,
    private readonly sessions: SessionService,
    private readonly journal: Journal,
    private readonly settings: Settings,
  ) {}

  /** Mails a new link to an active user whose address is not confirmed, and nothing to others. @throws too_many_requests */
  async resend(email: string, client: SessionClient): Promise<void> {
    await this.limiter.countMail('verification', email, client);
    this.deferred.start('resend', () => this.database.transaction((em) => this.#resend(email, em)));
  }

  async #resend(email: string, em: EntityManager): Promise<void> {
    const user = await this.users.findByEmail(email, em);
    if (!user?.isActive || user.emailVerified || (await this.keys.has(['invitation'], user.id, em))) return;
    const isSignUp = await this.keys.has(['registration'], user.id, em);
    await this.mails.sendLink(isSignUp ? 'registration' : 'email-verification', user.id, user.email, em);
  }

  /** Whether a link would be taken, without taking it. @throws too_many_requests */
  async isGood(key: string, { ip }: SessionClient): Promise<boolean> {
    await this.limiter.countKey(ip);
    return (await this.keys.find(key, [...PURPOSES, 'email-verified'])) !== undefined;
  }

  /**
   * Takes the key of a link: the address to which it was mailed is confirmed, or becomes the user's. Again it changes nothing
   * and succeeds all the same: a scanner of mails may have come first.
   *
   * @returns undefined for a key that is good for nothing, or when somebody else has the address by now
   * @throws too_many_requests, service_unavailable
   */
  async confirm(key: string, client: Visitor): Promise<Confirmation | undefined> {
    await this.limiter.countKey(client.ip);
    try {
      const confirmed = await this.database.transaction(async (em) => {
        const claimed = await this.keys.claim(key, PURPOSES, em);
        return claimed && this.#confirm(claimed, key, client, em);
      });
      if (confirmed) return confirmed;
    } catch (error) {
      if (!isUniqueViolation(error)) throw error; // somebody signed up with the address at this moment
    }
    return (await this.keys.find(key, ['email-verified'])) && {};
  }

  async #confirm(
    { purpose, user, email }: OneTimeKey,
    key: string,
    { marks = [], ...client }: Visitor,
    em: EntityManager,
  ): Promise<Confirmation | undefined> {
    const isChange = purpose === 'email-change';
    if (isChange) await this.abandoned.remove(email, em); // nobody proved that it is theirs
    if (!(await this.users.confirmEmail(user, email, em))) return undefined;
    if (isChange) await this.keys.revokeAll(user, em); // what was mailed to the address before is good for nothing now
    const seconds = this.settings.emailConfirmationLifetime;
    await this.keys.remember(key, { purpose: 'email-verified', user, email }, seconds, em);
    await this.journal.record([[isChange ? 'email.changed' : 'email.verified', { user: String(user) }]], em);
    if (purpose !== 'registration' || !this.settings.sessionOnEmailVerification) return {};
    const owner = await this.users.findByEmail(email, em);
    if (!owner || !this.browsers.isKnown(marks, owner.passwordHash)) return {};
    return { tokens: await this.sessions.open(owner, { em, client }) };
  }
}
