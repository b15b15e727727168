import type { EntityManager } from '@mikro-orm/postgresql';
import type { FieldError } from '../../error.js';
import { authError } from '../../error-table.js';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import { clientNetwork } from '../../sessions/client-network.js';
import type { SessionReference } from '../../sessions/session.service.js';
import { type BegunSignIn, type SignInDecision, tokensOf } from '../../sign-in/begun-sign-in.js';
import type { TokenClaims } from '../../tokens/claims.js';
import type { SessionContext } from '../../tokens/session-context.js';
import type { Tokens } from '../../tokens/tokens.js';
import type { BaseUser } from '../../users/base-user.entity.js';
import type { PasswordOwnerFacts } from '../../users/password-policy.js';

/** The input of a password change. */
export interface PasswordChange extends SessionClient {
  /** Ignored if OLD_PASSWORD_FIELD_ENABLED is false, or the user has no password. */
  readonly oldPassword?: string;
  readonly newPassword: string;
}

/** Changes the password of a signed-in user. */
export class PasswordChangeService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      | 'database'
      | 'users'
      | 'accounts'
      | 'hasher'
      | 'passwordProof'
      | 'freshness'
      | 'oneTimeKeys'
      | 'mails'
      | 'sessions'
      | 'signIn'
      | 'journal'
      | 'settings'
      | 'telemetry'
      | 'passwordPolicy'
    >,
  ) {}

  /**
   * Sets the new password, revokes every older session (or only the caller's session if LOGOUT_ON_PASSWORD_CHANGE is
   * false) and opens a new one, in one transaction. Guesses at the old password are limited per session, like failed
   * logins.
   *
   * A user without a password needs no old one, but a fresh session.
   *
   * @param caller the claims of the access token; its session must still be live
   * @throws reauthentication_required, second_factor_required for a user without a password
   * @throws incorrect_credentials, validation_failed, too_many_requests, token_not_valid, service_unavailable, and
   * errors of hooks
   * @throws second_factor_required if the password was changed and a gate requires a second factor
   * @throws email_not_verified in place of that, under EMAIL_VERIFICATION=`mandatory`: nothing is changed then
   */
  async change(caller: TokenClaims, change: PasswordChange): Promise<Tokens> {
    return this.kernel.telemetry.measure('change_password', () => this.#change(caller, change));
  }

  /** The faults of a change. Empty: it has no fault. The old password is not checked, only whether it is missing. */
  async faults({ oldPassword, newPassword }: PasswordChange, owner: PasswordOwnerFacts): Promise<FieldError[]> {
    const isOldMissing = this.kernel.settings.oldPasswordFieldEnabled && oldPassword === undefined;
    const missing = isOldMissing ? [{ field: 'oldPassword', messages: ['must be a string'] }] : [];
    return [...missing, ...(await this.kernel.passwordPolicy.fieldErrors('newPassword', newPassword, owner))];
  }

  async #change(caller: TokenClaims, { oldPassword, newPassword, ...client }: PasswordChange): Promise<Tokens> {
    const context = await this.kernel.sessions.contextOf(caller); // first, so that only a live session can guess
    const user = await this.kernel.users.getActiveWithPassword(caller.sub);
    if (!user.passwordHash) await this.kernel.freshness.assert(caller);
    const faults = await this.faults({ oldPassword: user.passwordHash ? oldPassword : '', newPassword }, user);
    if (faults.length > 0) throw authError('validation_failed', { errors: faults });
    const isProved = this.kernel.settings.oldPasswordFieldEnabled && Boolean(user.passwordHash);
    if (isProved) await this.kernel.passwordProof.checkFor(caller, user, oldPassword ?? '', client);
    await this.kernel.passwordPolicy.assertRemoteRules('newPassword', newPassword, user);
    const signIn = await this.#begin(user, { ...this.#worthOf(caller, context), isProved }, client);
    const next = await this.kernel.hasher.hash(newPassword, { network: clientNetwork(client.ip) });
    return tokensOf(await this.kernel.database.transaction((em) => this.#replace(caller, user, next, signIn, em)));
  }

  /**
   * What the access token proves, and not the session's row: the thief of an older access token must not get what the
   * owner has proved in the session later.
   */
  #worthOf({ session, sub, amr = [], auth_time: authTime }: TokenClaims, context: SessionContext) {
    return { ...context, session, sub, amr, authTime: authTime ?? context.authTime };
  }

  /**
   * The new session continues the caller's: proofs from there still count. The old password is a fresh proof, unless
   * the caller has proved a second factor: then a password alone must not make the session fresh.
   */
  #begin(
    user: BaseUser,
    { isProved, ...caller }: SessionReference & SessionContext & { readonly isProved: boolean },
    client: SessionClient,
  ): Promise<BegunSignIn> {
    const { amr, authTime } = caller;
    const proved = isProved ? [...new Set([...amr, 'pwd'])] : amr;
    const isFresh = isProved && !amr.includes('mfa');
    const proof = { amr: proved, authTime: isFresh ? undefined : authTime };
    return this.kernel.signIn.begin({ user, ...proof, client, caller });
  }

  async #replace(
    caller: SessionReference,
    user: BaseUser,
    next: string,
    signIn: BegunSignIn,
    em: EntityManager,
  ): Promise<SignInDecision> {
    if (!(await this.kernel.users.replacePasswordHash(user, next, em))) throw authError('incorrect_credentials');
    await this.kernel.accounts.recordCredentialChange(user.id, em);
    await this.kernel.sessions.assertLive(caller, em);
    const ending = { em, reason: 'password-change' } as const;
    if (this.kernel.settings.logoutOnPasswordChange) await this.kernel.sessions.revokeAll(user.id, ending);
    else await this.kernel.sessions.revoke(caller, ending);
    await this.kernel.oneTimeKeys.revokeAll(user.id, em);
    await this.kernel.mails.sendNotice('password-changed', user.email, em);
    await this.kernel.journal.record([['password.changed', { user: caller.sub }]], em);
    const { id, email, isActive, emailVerified } = user;
    return signIn.decide({ id, email, isActive, emailVerified, passwordHash: next }, em);
  }
}
