import type { EntityManager } from '@mikro-orm/postgresql';
import { isNewEmail } from '../../http/field.decorator.js';
import type { AuthKernel } from '../../kernel.js';
import { createRandomKey, hashOfRandomKey } from '../../secrets/random-key.js';
import type { SessionClient } from '../../sessions/client-device.js';
import { normalizeEmail } from '../../users/email.js';
import type { PasswordOwner } from '../../users/user.service.js';
import type { MAGIC_LINK_MAILS } from './magic-link.mails.js';
import type { MagicLinkSettings } from './magic-link.settings.js';
import type { MagicLinkStore } from './magic-link-store.js';
import { findMailboxOwner } from './mailbox-owner.js';
import { MailedCodes } from './mailed-codes.js';

/** The path of mailed links, without the prefix and the key. */
export const MAGIC_LINK_PATH = '/magic-link';

/** A request, stored until its mail is written. */
interface RequestedMail {
  readonly email: string;
  readonly requestHash: string;
  /** When it was made, in milliseconds since the epoch. */
  readonly at: number;
}

/**
 * Takes requests for a mail, and writes the mails after the answer. The answer is the same for every address, and so is
 * the time to it, because the work is stored first and done later.
 */
export class MagicLinkRequests {
  constructor(
    private readonly kernel: Pick<
      AuthKernel,
      | 'users'
      | 'accounts'
      | 'emailOwnership'
      | 'passwordlessSignUps'
      | 'mailLimiter'
      | 'mails'
      | 'backgroundJobs'
      | 'clock'
    > & {
      readonly magicLinkStore: MagicLinkStore;
      readonly mailedCodes: MailedCodes;
      readonly magicLinkSettings: MagicLinkSettings;
    },
  ) {
    kernel.backgroundJobs.handle<RequestedMail>('magic link', (requested, em) => this.#write(requested, em));
  }

  /** Takes a request. @returns what the browser must send together with the code @throws too_many_requests */
  async add(email: string, client: SessionClient): Promise<string> {
    const { mailLimiter, backgroundJobs, clock } = this.kernel;
    await mailLimiter.countMail('magic-link', email, client, { isNetworkFirst: true });
    const request = createRandomKey();
    const requested = { email, requestHash: hashOfRandomKey(request), at: clock.now() } satisfies RequestedMail;
    await backgroundJobs.enqueue('magic link', requested);
    return request;
  }

  async #write({ email: typed, requestHash, at }: RequestedMail, em: EntityManager): Promise<void> {
    const { emailOwnership, clock, magicLinkSettings } = this.kernel;
    const email = normalizeEmail(typed);
    const expiresAt = new Date(at + magicLinkSettings.magicLinkLifetime * 1000);
    if (expiresAt.getTime() <= clock.now()) return; // the job has waited too long
    await emailOwnership.lock(email, em);
    const owner = await findMailboxOwner(this.kernel, email, em);
    const mail = await this.#mailFor(email, owner, em);
    const isUsable = mail === 'magic-link' || mail === 'magic-link-sign-up';
    const key = createRandomKey();
    const { code, codeHash } = this.kernel.mailedCodes.create(requestHash);
    const hashes = {
      requestHash,
      keyHash: hashOfRandomKey(key),
      codeHash: isUsable ? codeHash : MailedCodes.hashOfNone(),
    };
    const whose = { email, user: owner?.id ?? null, credentialEpoch: owner?.credentialEpoch ?? 0 };
    const isLatest = await this.kernel.magicLinkStore.replace({ ...hashes, ...whose, expiresAt }, em);
    if (!isLatest || !mail) return;
    const proof = isUsable ? { path: `${MAGIC_LINK_PATH}/${key}`, code } : {};
    await this.kernel.mails.sendProof(mail, email, { ...proof, seconds: magicLinkSettings.magicLinkLifetime }, em);
  }

  /** The mail for an address. Undefined: none. */
  async #mailFor(
    email: string,
    owner: PasswordOwner | undefined,
    em: EntityManager,
  ): Promise<keyof typeof MAGIC_LINK_MAILS | undefined> {
    if (owner) return owner.isActive ? 'magic-link' : undefined;
    const { passwordlessSignUps, emailOwnership, magicLinkSettings } = this.kernel;
    // The text of a stranger could name several mailboxes.
    if (!isNewEmail(email)) return undefined;
    if (!passwordlessSignUps.isOpen || (await emailOwnership.isTaken(email, em))) return undefined;
    return magicLinkSettings.magicLinkSignUp ? 'magic-link-sign-up' : 'magic-link-no-account';
  }
}
