import { setTimeout } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { Database } from '../database/database.js';
import { authError } from '../error-table.js';
import type { AccountMails } from '../mail/account-mails.js';
import type { EmailOwnership } from '../mail/email-ownership.js';
import { createRandomKey } from '../secrets/random-key.js';
import type { SessionClient } from '../sessions/client-device.js';
import type { Settings } from '../settings/settings.js';
import { normalizeEmail } from '../users/email.js';
import type { PendingSignUp, PendingSignUps } from '../users/pending-sign-ups.js';
import type { SignUpBrowsers } from '../users/sign-up-browsers.js';
import type { UserService } from '../users/user.service.js';

/**
 * Minimum time of the answer, in milliseconds, if it must not reveal whether the address has an account. Storing a
 * sign-up takes one or two milliseconds longer than storing a notice. Both take much less.
 */
const MIN_ANSWER_MS = 100;

/** Stores sign-ups under EMAIL_VERIFICATION=`mandatory`, and mails the links that confirm them. */
export class UnconfirmedSignUps {
  constructor(
    protected readonly kernel: {
      readonly database: Database;
      readonly users: UserService;
      readonly emailOwnership: EmailOwnership;
      readonly signUps: PendingSignUps;
      readonly signUpBrowsers: SignUpBrowsers;
      readonly mails: AccountMails;
      readonly settings: Settings;
    },
  ) {}

  /**
   * Stores a sign-up and mails its link. With PREVENT_ENUMERATION, an address that has an account gets the same result,
   * in the same time, and a notice in place of the link.
   *
   * @param before work in the same transaction, which has locked the address. If it throws, nothing is stored
   * @returns the mark that identifies the browser when it requests another link (`SignUpBrowsers`)
   * @throws email_already_registered without PREVENT_ENUMERATION; what `before` throws
   */
  async add(
    signUp: Omit<PendingSignUp, 'id'>,
    client: SessionClient,
    before: (em: EntityManager) => Promise<void> = async () => {},
  ): Promise<string> {
    const { database, emailOwnership, settings } = this.kernel;
    const stored = database.transaction(async (em) => {
      // First of all locks, as everywhere. In another order, two requests could wait for each other.
      await emailOwnership.lock(signUp.email, em);
      await before(em);
      return this.#store(signUp, client, em);
    });
    if (!settings.preventEnumeration) return stored;
    const [mark] = await Promise.all([stored, setTimeout(MIN_ANSWER_MS)]);
    return mark;
  }

  async #store(signUp: Omit<PendingSignUp, 'id'>, client: SessionClient, em: EntityManager): Promise<string> {
    const { emailOwnership, settings, mails, signUps, signUpBrowsers } = this.kernel;
    const { email } = signUp;
    const isTaken = await emailOwnership.isTaken(email, em);
    if (isTaken && !settings.preventEnumeration) throw authError('email_already_registered');
    const key = isTaken ? undefined : createRandomKey();
    const origin = mails.originOf(client);
    const id = await signUps.add(signUp, origin, key, em);
    if (key) await mails.sendSignUpLink(key, normalizeEmail(email), origin, em);
    else await this.#notifyOwner(email, em);
    return signUpBrowsers.mark(id);
  }

  async #notifyOwner(email: string, em: EntityManager): Promise<void> {
    const owner = await this.kernel.users.findByEmail(email, em);
    if (owner?.isActive) await this.kernel.mails.sendNotice('account-exists', owner.email, em);
  }
}
