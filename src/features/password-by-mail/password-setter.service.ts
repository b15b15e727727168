import type { EntityManager } from '@mikro-orm/postgresql';
import { tokenNotValid } from '../../error-table.js';
import type { PasswordPurpose } from '../../http/mailed-password-flow.js';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import { clientNetwork } from '../../sessions/client-network.js';
import { type BegunSignIn, type SignInDecision, tokensOf } from '../../sign-in/begun-sign-in.js';
import type { KeyPurpose } from '../../tokens/one-time-keys.service.js';
import type { Tokens } from '../../tokens/tokens.js';
import type { UserId } from '../../users/base-user.entity.js';

/** The purposes of the keys that do. */
const PURPOSES = {
  'password-reset': ['password-reset'],
  invitation: ['invitation', 'invitation-used'],
} as const satisfies Record<PasswordPurpose, readonly KeyPurpose[]>;

/** A password, and the key out of a mail that allows to set it. */
export interface MailedPassword extends SessionClient {
  /** Of several the first that is good is used. */
  readonly keys: readonly string[];
  readonly newPassword: string;
}

/** Sets a password for who has proved a mailbox: after a reset, and after an invitation. */
export class PasswordSetter {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      | 'database'
      | 'users'
      | 'accounts'
      | 'hasher'
      | 'oneTimeKeys'
      | 'mailLimiter'
      | 'mails'
      | 'sessions'
      | 'signIn'
      | 'journal'
      | 'passwordPolicy'
    >,
  ) {}

  /** The first good one of some keys, its user, and the address that it was mailed to. @throws too_many_requests */
  async find(
    purpose: PasswordPurpose,
    keys: readonly string[],
    { ip }: SessionClient,
  ): Promise<{ readonly key: string; readonly user: UserId; readonly email: string } | undefined> {
    await this.kernel.mailLimiter.countKey(ip);
    for (const key of keys) {
      const found = await this.kernel.oneTimeKeys.find(key, PURPOSES[purpose]);
      if (found) return { key, user: found.user, email: found.email };
    }
    return undefined;
  }

  /**
   * Sets the password, confirms the address, ends every older session, pending key and unconfirmed address change, and
   * opens a session: all of it or nothing. Of two at the same moment, one wins.
   *
   * @throws token_not_valid, validation_failed (the key stays good), too_many_requests, service_unavailable, what a
   * hook throws; second_factor_required where the password is set and a gate asks for one
   */
  async set(purpose: PasswordPurpose, { keys, newPassword, ...client }: MailedPassword): Promise<Tokens> {
    const found = await this.find(purpose, keys, client);
    if (!found) throw tokenNotValid('one-time-key');
    const { key, user } = found;
    const owner = await this.kernel.database.read((em) => this.kernel.users.getActive(em, String(user)));
    await this.kernel.passwordPolicy.assertAllowed('newPassword', newPassword, owner);
    const owned = { id: user, email: found.email, isActive: true, emailVerified: true };
    const signIn = await this.kernel.signIn.begin({ user: owned, amr: ['mail', 'pwd'], client });
    const passwordHash = await this.kernel.hasher.hash(newPassword, { network: clientNetwork(client.ip) });
    const decision = await this.kernel.database.transaction((em) => this.#set(purpose, key, passwordHash, signIn, em));
    return tokensOf(decision);
  }

  async #set(
    purpose: PasswordPurpose,
    key: string,
    passwordHash: string,
    signIn: BegunSignIn,
    em: EntityManager,
  ): Promise<SignInDecision> {
    const claimed = await this.kernel.oneTimeKeys.claim(key, PURPOSES[purpose], em);
    if (!claimed || !(await this.kernel.users.setPassword(claimed.user, passwordHash, em)))
      throw tokenNotValid('one-time-key');
    const { user: id, email } = claimed;
    await this.kernel.accounts.recordCredentialChange(id, em);
    await this.kernel.sessions.revokeAll(id, { em, reason: 'password-change' });
    await this.kernel.oneTimeKeys.revokeAll(id, em);
    await this.kernel.journal.record([['password.changed', { user: String(id) }]], em);
    if (purpose === 'password-reset') await this.kernel.mails.sendNotice('password-changed', email, em);
    return signIn.decide({ id, email, passwordHash, isActive: true, emailVerified: true }, em);
  }
}
