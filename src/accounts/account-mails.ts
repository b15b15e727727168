import type { EntityManager } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { MailName } from '../mail/default-templates.js';
import { lifetimeInWords } from '../mail/lifetime-in-words.js';
import type { MailTemplates } from '../mail/mail-templates.js';
import type { Outbox } from '../mail/outbox.service.js';
import type { Settings } from '../settings/settings.js';
import type { KeyPurpose, OneTimeKeys } from '../tokens/one-time-keys.service.js';
import type { UserId } from '../users/base-user.entity.js';

/** Seconds for which a mail without a link is worth sending. */
const NOTICE_LIFETIME = 86_400;

/** Which mail brings a key, and to which path it leads. */
const LINKS = {
  registration: {
    mail: 'email-verification',
    path: '/registration/verification',
    lifetime: 'emailConfirmationLifetime',
  },
  'email-verification': {
    mail: 'email-verification',
    path: '/registration/verification',
    lifetime: 'emailConfirmationLifetime',
  },
  'email-change': { mail: 'email-change', path: '/registration/verification', lifetime: 'emailConfirmationLifetime' },
  'password-reset': { mail: 'password-reset', path: '/password/reset/confirm', lifetime: 'passwordResetLifetime' },
  invitation: { mail: 'invitation', path: '/registration/set-password', lifetime: 'invitationLifetime' },
} as const satisfies Partial<Record<KeyPurpose, { mail: MailName; path: string; lifetime: keyof Settings }>>;

/** The mails of accounts, put into the outbox in the transaction of what they are about. */
export class AccountMails {
  constructor(
    private readonly outbox: Outbox,
    private readonly templates: MailTemplates,
    private readonly keys: OneTimeKeys,
    private readonly settings: Settings,
    private readonly clock: Clock,
    /** Path of the auth controllers. */
    private readonly prefix: string,
  ) {}

  /** Mails a link with a new key, which supersedes the user's older one of that purpose. */
  async sendLink(purpose: keyof typeof LINKS, user: UserId, email: string, em: EntityManager): Promise<void> {
    const { mail, path, lifetime } = LINKS[purpose];
    const seconds = this.settings[lifetime];
    const key = await this.keys.issue(purpose, user, email, seconds, em);
    const link = `${this.#baseUrl}${this.prefix}${path}/${key}`;
    const content = this.templates.render(mail, { app: this.#app, link, expiresIn: lifetimeInWords(seconds) });
    await this.outbox.enqueue({ to: email, ...content }, em, this.#in(seconds));
  }

  /** Mails a notice, with the page where a password reset can be asked for, if the app has one. */
  async sendNotice(
    name: 'account-exists' | 'password-changed' | 'email-change-notice' | 'account-deleted',
    email: string,
    em: EntityManager,
    data: { readonly newEmail?: string } = {},
  ): Promise<void> {
    if (!this.isOn) return;
    const link = this.settings.passwordResetRequestUrl;
    const content = this.templates.render(name, { app: this.#app, link, ...data });
    await this.outbox.enqueue({ to: email, ...content }, em, this.#in(NOTICE_LIFETIME));
  }

  /** Whether mails are sent at all: links can be built. */
  get isOn(): boolean {
    return this.settings.publicUrl !== undefined;
  }

  get #baseUrl(): string {
    return (this.settings.publicUrl ?? '').replace(/\/$/, '');
  }

  get #app(): string {
    return new URL(this.#baseUrl).host;
  }

  #in(seconds: number): Date {
    return new Date(this.clock.now() + seconds * 1000);
  }
}
