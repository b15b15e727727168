import type { EntityManager } from '@mikro-orm/postgresql';
import type { Database } from '../database/database.js';
import { tokenNotValid } from '../error-table.js';
import type { Journal } from '../observability/journal.js';
import type { SessionClient } from '../sessions/client-device.js';
import { clientNetwork } from '../sessions/client-network.js';
import type { SessionService } from '../sessions/session.service.js';
import type { KeyPurpose, OneTimeKeys } from '../tokens/one-time-keys.service.js';
import type { Tokens } from '../tokens/tokens.js';
import type { UserId } from '../users/base-user.entity.js';
import type { PasswordHasher } from '../users/password-hasher.service.js';
import type { PasswordRules } from '../users/password-rules.js';
import type { UserService } from '../users/user.service.js';
import type { AccountMails } from './account-mails.js';
import type { MailLimiter } from './mail-limiter.service.js';

/** What a mailed key allows to set a password for. */
export type PasswordPurpose = 'password-reset' | 'invitation';

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
    private readonly database: Database,
    private readonly users: UserService,
    private readonly hasher: PasswordHasher,
    private readonly keys: OneTimeKeys,
    private readonly limiter: MailLimiter,
    private readonly mails: AccountMails,
    private readonly sessions: SessionService,
    private readonly journal: Journal,
    private readonly rules: PasswordRules,
  ) {}

  /** The first good one of some keys, its user, and the address that it was mailed to. @throws too_many_requests */
  async find(
    purpose: PasswordPurpose,
    keys: readonly string[],
    { ip }: SessionClient,
  ): Promise<{ readonly key: string; readonly user: UserId; readonly email: string } | undefined> {
    await this.limiter.countKey(ip);
    for (const key of keys) {
      const found = await this.keys.find(key, PURPOSES[purpose]);
      if (found) return { key, user: found.user, email: found.email };
    }
    return undefined;
  }

  /**
   * Sets the password, confirms the address, ends every older session, pending key and unconfirmed address change, and
   * opens a session: all of it or nothing. Of two at the same moment, one wins.
   *
   * @throws token_not_valid, validation_failed (the key stays good), too_many_requests, service_unavailable
   */
  async set(purpose: PasswordPurpose, { keys, newPassword, ...client }: MailedPassword): Promise<Tokens> {
    const found = await this.find(purpose, keys, client);
    if (!found) throw tokenNotValid('one-time-key');
    const { key, user } = found;
    const owner = await this.database.read((em) => this.users.getActive(em, String(user)));
    this.rules.assertAllowed('newPassword', newPassword, owner);
    const passwordHash = await this.hasher.hash(newPassword, { network: clientNetwork(client.ip) });
    return this.database.transaction((em) => this.#set(purpose, key, passwordHash, client, em));
  }

  async #set(
    purpose: PasswordPurpose,
    key: string,
    passwordHash: string,
    client: SessionClient,
    em: EntityManager,
  ): Promise<Tokens> {
    const claimed = await this.keys.claim(key, PURPOSES[purpose], em);
    if (!claimed || !(await this.users.setPassword(claimed.user, passwordHash, em)))
      throw tokenNotValid('one-time-key');
    const { user: id, email } = claimed;
    await this.sessions.revokeAll(id, { em, reason: 'password-change' });
    await this.keys.revokeAll(id, em);
    await this.journal.record([['password.changed', { user: String(id) }]], em);
    if (purpose === 'password-reset') await this.mails.sendNotice('password-changed', email, em);
    return this.sessions.open({ id, passwordHash }, { em, client });
  }
}
