import type { EntityManager } from '@mikro-orm/postgresql';
import { isUniqueViolation } from '../../database/constraint-violation.js';
import type { AuthKernel } from '../../kernel.js';
import { createMailedKey } from '../../secrets/mailed-key.js';
import type { SessionClient } from '../../sessions/client-device.js';
import type { BegunSignIn } from '../../sign-in/begun-sign-in.js';
import { isRefusal } from '../../sign-in/refusal.js';
import type { OneTimeKey } from '../../tokens/one-time-keys.js';
import type { Tokens } from '../../tokens/tokens.js';
import { normalizeEmail } from '../../users/email.js';
import type { PendingSignUp } from '../../users/pending-sign-ups.js';
import { Role } from '../../users/role.js';
import type { NewUser } from '../../users/user-creation.service.js';
import type { EmailUndoService } from './email-undo.service.js';

/** The keys that prove a mailbox by being opened. */
const PURPOSES = ['registration', 'email-verification', 'email-change'] as const;

/** Who opens a link. */
export interface Visitor extends SessionClient {
  /** What the browser was given at a sign-up (`SignUpBrowsers`), if it was there. */
  readonly marks?: readonly string[];
}

/** What opening a link brought. */
export interface Confirmation {
  /** Whether it was the sign-up of this very browser, which need not be known any longer. */
  readonly isOwn?: boolean;
  /** A session, under SESSION_ON_EMAIL_VERIFICATION, for the browser that signed up. */
  readonly tokens?: Tokens;
}

/** A new link that was asked for, until its mail is written. */
interface AskedResend {
  readonly email: string;
  /** Missing in what older versions have written down. */
  readonly marks?: readonly string[];
}

/** Confirms addresses by links in mails. */
export class EmailVerificationService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      | 'database'
      | 'users'
      | 'accounts'
      | 'oneTimeKeys'
      | 'addresses'
      | 'signUps'
      | 'userCreation'
      | 'signUpBrowsers'
      | 'mailLimiter'
      | 'mails'
      | 'backgroundJobs'
      | 'signIn'
      | 'journal'
      | 'settings'
    > & { readonly emailUndo: EmailUndoService },
  ) {
    const { backgroundJobs: deferred } = kernel;
    deferred.handle<AskedResend>('resend', (asked, em) => this.#resend(asked, em));
  }

  /**
   * Mails a new link to an active user whose address is not confirmed, or for a sign-up of an address that waits: that
   * of the same browser, or else the only one. The older link of the same stops working. Where it is not clear which
   * of several is meant, the mail says so and has no link. To others nothing is mailed.
   *
   * @throws too_many_requests
   */
  async resend(email: string, { marks = [], ...client }: Visitor): Promise<void> {
    await this.kernel.mailLimiter.countMail('verification', email, client);
    await this.kernel.backgroundJobs.enqueue('resend', { email, marks });
  }

  async #resend({ email, marks = [] }: AskedResend, em: EntityManager): Promise<void> {
    await this.kernel.addresses.lock(email, em);
    // Also those of a taken address: a sign-in is answered alike for as long.
    await this.kernel.signUps.prolong(email, em);
    const isTaken = await this.kernel.addresses.isTaken(email, em);
    const waiting = isTaken ? [] : await this.kernel.signUps.waiting(email, em);
    const own = waiting.find(({ id }) => this.kernel.signUpBrowsers.isKnown(marks, id));
    // A stranger may have signed up with the address too: whoever asks for a link must not get one for that password.
    if (!own && waiting.length > 1) return this.kernel.mails.sendSeveralSignUps(normalizeEmail(email), em);
    const signUp = own ?? waiting[0];
    if (signUp) {
      const key = createMailedKey();
      await this.kernel.signUps.renewKey(signUp.id, key, em);
      return this.kernel.mails.sendSignUpLink(key, normalizeEmail(email), signUp, em);
    }
    const user = await this.kernel.users.findByEmail(email, em);
    if (!user?.isActive || user.emailVerified || (await this.kernel.accounts.isInvited(user.id, em))) return;
    await this.kernel.mails.sendLink('email-verification', user.id, user.email, em);
  }

  /** Whether a link would be taken, without taking it. @throws too_many_requests */
  async isGood(key: string, { ip }: SessionClient): Promise<boolean> {
    await this.kernel.mailLimiter.countKey(ip);
    if ((await this.kernel.oneTimeKeys.find(key, [...PURPOSES, 'email-verified'])) !== undefined) return true;
    return this.kernel.database.transaction(async (em) => {
      const signUp = await this.kernel.signUps.find(key, em);
      return signUp !== undefined && !(await this.kernel.addresses.isTaken(signUp.email, em));
    });
  }

  /**
   * Takes the key of a link: the sign-up becomes a user, or the address to which it was mailed is confirmed, or becomes
   * the user's. Again it changes nothing and succeeds all the same: a scanner of mails may have come first.
   *
   * @returns undefined for a key that is good for nothing, or when somebody else has the address by now
   * @throws too_many_requests, service_unavailable
   */
  async confirm(key: string, client: Visitor): Promise<Confirmation | undefined> {
    await this.kernel.mailLimiter.countKey(client.ip);
    const signUp = await this.kernel.signUps.find(key);
    const signIn = signUp && (await this.#beginSignIn(signUp, client));
    try {
      const confirmed = await this.kernel.database.transaction(async (em) => {
        if (signUp) return this.#complete(signUp, key, client, signIn, em);
        const claimed = await this.kernel.oneTimeKeys.claim(key, PURPOSES, em);
        return claimed && this.#confirm(claimed, key, em);
      });
      if (confirmed) return confirmed;
    } catch (error) {
      // Somebody signed up with the address at this moment. An app's user can have other unique columns.
      if (!isUniqueViolation(error)) throw error;
      if (signUp && !(await this.kernel.users.findByEmail(signUp.email))) throw error;
    }
    return (await this.kernel.oneTimeKeys.find(key, ['email-verified'])) && {};
  }

  /**
   * Makes the user of a sign-up, unless somebody has the address by now: of two sign-ups at the same moment, one wins.
   */
  async #complete(
    signUp: PendingSignUp,
    key: string,
    { marks = [] }: Visitor,
    signIn: BegunSignIn | undefined,
    em: EntityManager,
  ): Promise<Confirmation | undefined> {
    const isFree = await this.kernel.addresses.claim(signUp.email, em);
    if (!isFree || !(await this.kernel.signUps.claim(signUp, key, em))) return undefined;
    const user = await this.kernel.userCreation.create(newUserOf(signUp), em);
    const { id, email } = user;
    await this.kernel.journal.record([['user.registered', { user: String(id) }]], em);
    await this.#remember(key, { purpose: 'email-verified', user: id, email }, em);
    await this.kernel.journal.record([['email.verified', { user: String(id) }]], em);
    const isOwn = this.kernel.signUpBrowsers.isKnown(marks, signUp.id);
    const decide = (begun: BegunSignIn) => this.kernel.database.savepoint(em, () => begun.decide(user, em));
    const decision = signIn && (await unlessRefused(() => decide(signIn)));
    return { isOwn, ...(decision && 'tokens' in decision && decision) };
  }

  /** Begins a sign-in where one follows. Undefined: none does, or it is refused, which keeps no address unconfirmed. */
  async #beginSignIn(signUp: PendingSignUp, { marks = [], ...client }: Visitor): Promise<BegunSignIn | undefined> {
    const isOwn = this.kernel.signUpBrowsers.isKnown(marks, signUp.id);
    if (!isOwn || !this.kernel.settings.sessionOnEmailVerification) return undefined;
    return unlessRefused(() =>
      this.kernel.signIn.beginSignUp({ amr: ['mail'], client }, () =>
        this.kernel.userCreation.preview(newUserOf(signUp)),
      ),
    );
  }

  async #confirm(
    { purpose, user, email }: OneTimeKey,
    key: string,
    em: EntityManager,
  ): Promise<Confirmation | undefined> {
    const isChange = purpose === 'email-change';
    const before = isChange ? await this.kernel.users.findAccount(user, em) : undefined;
    if (isChange && !(await this.kernel.addresses.claim(email, em, user))) return undefined;
    if (!(await this.kernel.users.confirmEmail(user, email, em))) return undefined;
    if (isChange) {
      // What was mailed to the address before is good for nothing now.
      await this.kernel.oneTimeKeys.revokeAll(user, em);
      await this.kernel.signUps.voidAll(email, em);
      if (before)
        await this.kernel.emailUndo.notify({ user, from: before.email, isProved: before.emailVerified, to: email }, em);
    }
    await this.#remember(key, { purpose: 'email-verified', user, email }, em);
    await this.kernel.journal.record([[isChange ? 'email.changed' : 'email.verified', { user: String(user) }]], em);
    return {};
  }

  /** Lets the link land on the same page again, for as long as it would have been good. */
  #remember(key: string, what: OneTimeKey, em: EntityManager): Promise<void> {
    return this.kernel.oneTimeKeys.remember(key, what, this.kernel.settings.emailConfirmationLifetime, em);
  }
}

/** The user that a sign-up becomes when its address is confirmed. */
function newUserOf({ email, passwordHash, fields }: PendingSignUp): NewUser {
  return { email, passwordHash, role: Role.USER, emailVerified: true, fields };
}

/** What a step of a sign-in gives; undefined where it was refused. @throws what is no refusal */
async function unlessRefused<T>(step: () => Promise<T>): Promise<T | undefined> {
  try {
    return await step();
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}
