import type { EntityManager } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import { clientInWords, type SessionClient } from '../sessions/client-device.js';
import type { Settings } from '../settings/settings.js';
import type { KeyPurpose, OneTimeKeys } from '../tokens/one-time-keys.js';
import type { UserId } from '../users/base-user.entity.js';
import { originInWords, type SignUpOrigin } from '../users/sign-up-origin.js';
import { lifetimeInWords } from './lifetime-in-words.js';
import { LINK_PATHS } from './link-paths.js';
import type { MailLimiter } from './mail-limiter.js';
import type { MailTemplates } from './mail-templates.js';
import type { Outbox } from './outbox.js';

/** A notice is discarded if it could not be sent within this time. */
const NOTICE_LIFETIME_SECONDS = 86_400;

/** The mail, the path of the link and the setting with the lifetime, for each purpose that `sendLink` accepts. */
const LINKS = {
  'email-verification': {
    mail: 'email-verification',
    path: LINK_PATHS.confirmation,
    lifetime: 'emailConfirmationLifetime',
  },
  'email-change': { mail: 'email-change', path: LINK_PATHS.confirmation, lifetime: 'emailConfirmationLifetime' },
  'password-reset': { mail: 'password-reset', path: LINK_PATHS.passwordReset, lifetime: 'passwordResetLifetime' },
  invitation: { mail: 'invitation', path: LINK_PATHS.invitation, lifetime: 'invitationLifetime' },
} as const satisfies Partial<Record<KeyPurpose, { mail: string; path: string; lifetime: keyof Settings }>>;

/** Adds the mails of accounts to the outbox, in the transaction of the change that they are about. */
export class AccountMails {
  constructor(
    protected readonly kernel: {
      readonly outbox: Outbox;
      readonly mailTemplates: MailTemplates;
      readonly oneTimeKeys: OneTimeKeys;
      readonly mailLimiter: MailLimiter;
      readonly settings: Settings;
      readonly clock: Clock;
      /** Path prefix of the auth controllers. */
      readonly prefix: string;
    },
  ) {}

  /**
   * Mails a link with a new key, which supersedes the user's older key of that purpose. PUBLIC_URL must be set.
   *
   * @param client the client that has just signed up, if this is the mail of a sign-up
   */
  async sendLink(
    purpose: keyof typeof LINKS,
    user: UserId,
    email: string,
    em: EntityManager,
    client?: SessionClient,
  ): Promise<void> {
    const key = await this.kernel.oneTimeKeys.issue(
      purpose,
      user,
      email,
      this.kernel.settings[LINKS[purpose].lifetime],
      em,
    );
    await this.#sendKey(purpose, key, email, em, client && this.originOf(client));
  }

  /** Mails the confirmation link of an unconfirmed sign-up. */
  async sendSignUpLink(key: string, email: string, origin: SignUpOrigin, em: EntityManager): Promise<void> {
    await this.#sendKey('email-verification', key, email, em, origin);
  }

  /**
   * Mails a notice, without a link, that an address has several unconfirmed sign-ups. The caller must apply a limit.
   */
  async sendSeveralSignUps(email: string, em: EntityManager): Promise<void> {
    const content = this.kernel.mailTemplates.render('several-sign-ups', { app: this.#app });
    await this.kernel.outbox.enqueue({ to: email, ...content }, em, this.#expiry(NOTICE_LIFETIME_SECONDS));
  }

  /** Time and client of a sign-up that is made now. */
  originOf(client: SessionClient): SignUpOrigin {
    return { at: new Date(this.kernel.clock.now()), from: clientInWords(client, this.kernel.settings) };
  }

  async #sendKey(
    purpose: keyof typeof LINKS,
    key: string,
    email: string,
    em: EntityManager,
    origin: SignUpOrigin = {},
  ): Promise<void> {
    const { mail, path, lifetime } = LINKS[purpose];
    const seconds = this.kernel.settings[lifetime];
    const link = `${this.#baseUrl}${this.kernel.prefix}${path}/${key}`;
    const data = { app: this.#app, link, expiresIn: lifetimeInWords(seconds), ...originInWords(origin) };
    await this.kernel.outbox.enqueue(
      { to: email, ...this.kernel.mailTemplates.render(mail, data) },
      em,
      this.#expiry(seconds),
    );
  }

  /** Mails a notice, unless mails are off (`isOn`) or the limit of the mailbox is reached. */
  async sendNotice(
    name: string,
    email: string,
    em: EntityManager,
    data: { readonly newEmail?: string } = {},
  ): Promise<void> {
    const kind = name === 'account-exists' ? name : 'notice';
    if (!this.isOn || !(await this.kernel.mailLimiter.admitsNotice(kind, email, em))) return;
    const { passwordResetRequestUrl } = this.kernel.settings;
    const link = this.kernel.mailTemplates.linksToReset(name) ? passwordResetRequestUrl : undefined;
    const content = this.kernel.mailTemplates.render(name, { app: this.#app, link, ...data });
    await this.kernel.outbox.enqueue({ to: email, ...content }, em, this.#expiry(NOTICE_LIFETIME_SECONDS));
  }

  /**
   * Mails a notice to the old address about its change. With a key, it has an undo link. The caller must apply a limit
   * if the address may belong to another person.
   */
  async sendChangedEmail(
    email: string,
    { newEmail, key, seconds }: { readonly newEmail: string; readonly key?: string; readonly seconds: number },
    em: EntityManager,
  ): Promise<void> {
    const link = key && `${this.#baseUrl}${this.kernel.prefix}${LINK_PATHS.emailUndo}/${key}`;
    const data = { app: this.#app, newEmail, link, expiresIn: lifetimeInWords(seconds) };
    await this.kernel.outbox.enqueue(
      { to: email, ...this.kernel.mailTemplates.render('email-changed', data) },
      em,
      this.#expiry(seconds),
    );
  }

  /**
   * Mails a link and a code of a feature that stores their keys itself. The caller must apply a limit.
   *
   * @param proof the code, if there is one; the path of the link below the prefix, if there is one; and the lifetime of
   * the mail, in seconds
   */
  async sendProof(
    name: string,
    email: string,
    { code, path, seconds }: { readonly code?: string; readonly path?: string; readonly seconds: number },
    em: EntityManager,
  ): Promise<void> {
    const link = path && `${this.#baseUrl}${this.kernel.prefix}${path}`;
    const data = { app: this.#app, code, link, expiresIn: lifetimeInWords(seconds) };
    const content = this.kernel.mailTemplates.render(name, data);
    await this.kernel.outbox.enqueue({ to: email, ...content }, em, this.#expiry(seconds));
  }

  /** Whether mails are sent: PUBLIC_URL is set. */
  get isOn(): boolean {
    return this.kernel.settings.publicUrl !== undefined;
  }

  get #baseUrl(): string {
    return (this.kernel.settings.publicUrl ?? '').replace(/\/$/, '');
  }

  get #app(): string {
    return new URL(this.#baseUrl).host;
  }

  #expiry(seconds: number): Date {
    return new Date(this.kernel.clock.now() + seconds * 1000);
  }
}
