import type { KeyObject } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { AuthKernel } from '../../kernel.js';
import { createCode, formatCode, normalizeCode } from '../../secrets/crockford-code.js';
import { keyedHash } from '../../secrets/keyed-hash.js';
import type { SessionClient } from '../../sessions/client-device.js';
import type { SessionReference } from '../../sessions/session.service.js';
import type { AccountOfSession } from '../../sessions/session-store.js';
import type { ReAuthentication } from '../../sign-in/re-authentication.js';
import { reauthenticationError } from './reauthentication-errors.js';

const LIFETIME_SECONDS = 600;

/** Characters of a code: 5 bits each, 40 bits in all. */
const CODE_LENGTH = 8;

/**
 * Codes by mail, for users who have neither a password nor a second factor. A code works once, for ten minutes, in the
 * session that requested it, while the user's address and credentials stay the same. A new code supersedes the older
 * one. Wrong codes are limited like wrong passwords, for each session.
 */
export class MailCodes implements ReAuthentication {
  readonly member = 'mailCode';
  readonly amr = ['mail'];
  /** Makes the stored key of a code: a keyed hash, because a code alone has few bits. */
  readonly #key: KeyObject;

  constructor(
    private readonly kernel: Pick<
      AuthKernel,
      | 'database'
      | 'sessionProofs'
      | 'sessionEndings'
      | 'users'
      | 'oneTimeKeys'
      | 'mailLimiter'
      | 'mails'
      | 'loginLimiter'
      | 'loginFailures'
      | 'encryption'
    >,
  ) {
    this.#key = kernel.encryption.hashKey('re-authentication codes');
  }

  /**
   * Mails a new code to the caller's address.
   *
   * @throws mail_code_not_available, too_many_requests; token_not_valid if the caller's session has ended
   */
  async send(caller: SessionReference, client: SessionClient): Promise<void> {
    const { database, sessionProofs, sessionEndings, users, oneTimeKeys, mailLimiter, mails } = this.kernel;
    const { email } = await this.#accountOf(caller);
    await mailLimiter.countMail('reauthentication', email, client);
    const user = users.keyOf(caller.sub);
    await database.transaction(async (em) => {
      await sessionEndings.lockUser(user, em);
      const account = await sessionProofs.accountOf(caller, em);
      if (account.email !== email || !isMailOnly(account)) return;
      const code = createCode(CODE_LENGTH);
      const key = { purpose: 'reauthentication', user, email } as const;
      await oneTimeKeys.remember(this.#keyOf(code, caller, account), key, LIFETIME_SECONDS, em);
      const proof = { code: formatCode(code), seconds: LIFETIME_SECONDS };
      await mails.sendProof('reauthentication', email, proof, em);
    });
  }

  /**
   * Uses a code up.
   *
   * @throws incorrect_credentials, too_many_requests, mail_code_not_available; token_not_valid if the caller's session
   * has ended
   */
  async check(caller: SessionReference, code: string, client: SessionClient): Promise<void> {
    const account = await this.#accountOf(caller);
    const key = this.#keyOf(normalizeCode(code), caller, account);
    await this.kernel.loginFailures.watch(client, (setUser) => {
      setUser(caller.sub);
      return this.kernel.loginLimiter.attemptSignedIn(caller.session, () =>
        this.kernel.database.transaction((em) => this.#use(key, caller, em)),
      );
    });
  }

  /** Undefined: the code is not valid. */
  async #use(key: string, { sub }: SessionReference, em: EntityManager): Promise<true | undefined> {
    const found = await this.kernel.oneTimeKeys.claim(key, ['reauthentication'], em);
    return String(found?.user) === sub || undefined;
  }

  async #accountOf(caller: SessionReference): Promise<AccountOfSession> {
    const account = await this.kernel.sessionProofs.accountOf(caller);
    if (!isMailOnly(account)) throw reauthenticationError('mail_code_not_available');
    return account;
  }

  /** A code is bound to its session, and to the credentials of its user. */
  #keyOf(code: string, { session }: SessionReference, { credentialEpoch }: AccountOfSession): string {
    return keyedHash(this.#key, [session, credentialEpoch, code]);
  }
}

/** Whether a user has neither a password nor a second factor, so that only a mail can prove who they are. */
function isMailOnly({ hasPassword, secondFactors }: AccountOfSession): boolean {
  return !hasPassword && secondFactors.length === 0;
}
