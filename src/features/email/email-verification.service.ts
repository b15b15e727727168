import type { EntityManager } from '@mikro-orm/postgresql';
import { isUniqueViolation } from '../../database/constraint-violation.js';
import type { AuthKernel } from '../../kernel.js';
import { isAddressTaken } from '../../mail/email-ownership.js';
import { createRandomKey } from '../../secrets/random-key.js';
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

/** The purposes of keys that verify a mailbox by being opened. */
const PURPOSES = ['registration', 'email-verification', 'email-change'] as const;

/** The client that opens a link. */
export interface Visitor extends SessionClient {
  /** The marks that the browser got at sign-up (`SignUpBrowsers`), if any. */
  readonly marks?: readonly string[];
}

/** The result of opening a link. */
export interface Confirmation {
  /** Whether the link was opened in the browser that signed up. Its cookie can be cleared then. */
  readonly isOwn?: boolean;
  /** A session for the browser that signed up, with SESSION_ON_EMAIL_VERIFICATION. */
  readonly tokens?: Tokens;
}

/** A requested link, stored until its mail is written. */
interface RequestedResend {
  readonly email: string;
  /** Missing in rows of older versions. */
  readonly marks?: readonly string[];
}

/** Confirms addresses by mailed links. */
export class EmailVerificationService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      | 'database'
      | 'users'
      | 'accounts'
      | 'oneTimeKeys'
      | 'emailOwnership'
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
    kernel.backgroundJobs.handle<RequestedResend>('resend', (requested, em) => this.#resend(requested, em));
  }

  /**
   * Mails a new link, which replaces the older one. It is for an active user with an unconfirmed address and without an
   * invitation, or for a pending sign-up with the address: that of this browser, or else the only one. If there are
   * several sign-ups and none is from this browser, the mail says so and has no link. For any other address nothing is
   * mailed.
   *
   * @throws too_many_requests
   */
  async resend(email: string, { marks = [], ...client }: Visitor): Promise<void> {
    await this.kernel.mailLimiter.countMail('verification', email, client);
    await this.kernel.backgroundJobs.enqueue('resend', { email, marks });
  }

  async #resend({ email, marks = [] }: RequestedResend, em: EntityManager): Promise<void> {
    await this.kernel.emailOwnership.lock(email, em);
    // Also for an address that belongs to an account: sign-in must give the same answer for the same time.
    await this.kernel.signUps.prolong(email, em);
    const isTaken = await this.kernel.emailOwnership.isTaken(email, em);
    const waiting = isTaken ? [] : await this.kernel.signUps.waiting(email, em);
    const ownSignUp = waiting.find(({ id }) => this.kernel.signUpBrowsers.isKnown(marks, id));
    // A stranger may have signed up with the address too: a link must not confirm the stranger's password.
    if (!ownSignUp && waiting.length > 1) return this.kernel.mails.sendSeveralSignUps(normalizeEmail(email), em);
    const signUp = ownSignUp ?? waiting[0];
    if (signUp) {
      const key = createRandomKey();
      await this.kernel.signUps.renewKey(signUp.id, key, em);
      return this.kernel.mails.sendSignUpLink(key, normalizeEmail(email), signUp, em);
    }
    const user = await this.kernel.users.findByEmail(email, em);
    if (!user?.isActive || user.emailVerified || (await this.kernel.accounts.isInvited(user.id, em))) return;
    await this.kernel.mails.sendLink('email-verification', user.id, user.email, em);
  }

  /** Whether a link is valid, or was used and has not expired. Does not use it. @throws too_many_requests */
  async isValid(key: string, { ip }: SessionClient): Promise<boolean> {
    await this.kernel.mailLimiter.countKey(ip);
    if ((await this.kernel.oneTimeKeys.find(key, [...PURPOSES, 'email-verified'])) !== undefined) return true;
    return this.kernel.database.transaction(async (em) => {
      const signUp = await this.kernel.signUps.find(key, em);
      return signUp !== undefined && !(await this.kernel.emailOwnership.isTaken(signUp.email, em));
    });
  }

  /**
   * Uses the key of a link: it creates the user of a sign-up, confirms the address to which the link was mailed, or
   * makes it the user's new address. Repeating it changes nothing and succeeds, because a mail scanner may have opened
   * the link first.
   *
   * @returns undefined if the key is not valid, or if another account has the address now
   * @throws field_already_taken, and what the completion of the sign-up throws, such as passkey_already_registered: the
   * sign-up is kept
   * @throws too_many_requests, service_unavailable
   */
  async confirm(key: string, client: Visitor): Promise<Confirmation | undefined> {
    await this.kernel.mailLimiter.countKey(client.ip);
    const signUp = await this.kernel.signUps.find(key);
    const signIn = signUp && (await this.#beginSignIn(signUp, client));
    const { database, emailOwnership, oneTimeKeys } = this.kernel;
    const confirm = () =>
      database.transaction(async (em) => {
        if (signUp) return this.#complete(signUp, key, client, signIn, em);
        const claimed = await oneTimeKeys.claim(key, PURPOSES, em);
        return claimed && this.#confirm(claimed, key, em);
      });
    const given = { ...signUp?.fields, ...signUp?.fields.added };
    try {
      const confirmed = await (signUp ? emailOwnership.insert(signUp.email, given, confirm) : confirm());
      if (confirmed) return confirmed;
    } catch (error) {
      // Another account got the address at this moment.
      if (!(signUp ? isAddressTaken(error) : isUniqueViolation(error))) throw error;
    }
    return (await oneTimeKeys.find(key, ['email-verified'])) && {};
  }

  /**
   * Creates the user of a sign-up, unless another account has the address now. If two sign-ups are confirmed at
   * the same moment, one succeeds.
   */
  async #complete(
    signUp: PendingSignUp,
    key: string,
    { marks = [] }: Visitor,
    signIn: BegunSignIn | undefined,
    em: EntityManager,
  ): Promise<Confirmation | undefined> {
    const isFree = await this.kernel.emailOwnership.claim(signUp.email, em);
    if (!isFree || !(await this.kernel.signUps.claim(signUp, key, em))) return undefined;
    const user = await this.kernel.userCreation.create(newUserOf(signUp), em);
    const { id, email } = user;
    const { completion } = signUp;
    const method = completion?.method ?? completion?.name ?? 'password';
    await this.kernel.journal.record([['user.registered', { user: String(id), method }]], em);
    if (completion) await this.kernel.signIn.completeSignUp(id, completion, em);
    await this.#remember(key, { purpose: 'email-verified', user: id, email }, em);
    await this.kernel.journal.record([['email.verified', { user: String(id) }]], em);
    const isOwn = this.kernel.signUpBrowsers.isKnown(marks, signUp.id);
    const decide = (begun: BegunSignIn) => this.kernel.database.savepoint(em, () => begun.decide(user, em));
    const decision = signIn && (await unlessRefused(() => decide(signIn)));
    return { isOwn, ...(decision && 'tokens' in decision && decision) };
  }

  /**
   * Begins the sign-in of the browser that signed up, with SESSION_ON_EMAIL_VERIFICATION. Undefined for any other
   * browser and for a sign-in that is refused: the address is confirmed in any case.
   */
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
    const before = isChange ? await this.kernel.users.findById(user, em) : undefined;
    if (isChange && !(await this.kernel.emailOwnership.claim(email, em, user))) return undefined;
    if (!(await this.kernel.users.confirmEmail(user, email, em))) return undefined;
    if (isChange) {
      await this.kernel.accounts.recordCredentialChange(user, em); // challenges and codes of the old address are void
      // Links that were mailed to the old address must not work any more, except those that undo a change.
      await this.kernel.oneTimeKeys.revokeAll(user, em);
      await this.kernel.signUps.invalidateAll(email, em);
      if (before)
        await this.kernel.emailUndo.notify({ user, from: before.email, isProved: before.emailVerified, to: email }, em);
    }
    await this.#remember(key, { purpose: 'email-verified', user, email }, em);
    await this.kernel.journal.record([[isChange ? 'email.changed' : 'email.verified', { user: String(user) }]], em);
    return {};
  }

  /** Remembers the key, so that opening the link again shows the same page until it would have expired. */
  #remember(key: string, what: OneTimeKey, em: EntityManager): Promise<void> {
    return this.kernel.oneTimeKeys.remember(key, what, this.kernel.settings.emailConfirmationLifetime, em);
  }
}

/** The user to create when the address of a sign-up is confirmed. */
function newUserOf({ email, passwordHash, fields }: PendingSignUp): NewUser {
  return { email, passwordHash, role: Role.USER, emailVerified: true, fields };
}

/** The result of a sign-in step; undefined if it was refused. @throws errors that are not refusals */
async function unlessRefused<T>(step: () => Promise<T>): Promise<T | undefined> {
  try {
    return await step();
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}
