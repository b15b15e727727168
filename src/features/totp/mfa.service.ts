import type { EntityManager } from '@mikro-orm/postgresql';
import type { AuthKernel } from '../../kernel.js';
import type { TakenBack } from '../../sign-in/second-factor.js';
import type { TokenClaims } from '../../tokens/claims.js';
import type { UserId } from '../../users/base-user.entity.js';
import type { MfaRecords } from './mfa-records.js';
import { createRecoveryCodes } from './recovery-codes.js';
import type { MfaMode, TotpSettings } from './totp.settings.js';
import { totpError } from './totp-errors.js';
import type { MfaDisabled } from './totp-events.js';
import type { SecretCounts, TotpStore } from './totp-store.js';

/** Which second factors a user has. */
export interface MfaStatus {
  readonly mode: MfaMode;
  /** Whether an authenticator app is set up. */
  readonly totp: boolean;
  /** The number of unused recovery codes. */
  readonly recoveryCodesLeft: number;
  /** The number of passkeys: credentials of the second factor `passkey`, which another module adds. */
  readonly passkeys: number;
}

/** The second factors of users: their state, new recovery codes, and their removal. `auth.mfa` is this service. */
export class MfaService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      'database' | 'users' | 'accounts' | 'sessions' | 'sessionEndings' | 'oneTimeKeys' | 'secondFactors' | 'freshness'
    > & { readonly totpSettings: TotpSettings; readonly totpStore: TotpStore; readonly mfaRecords: MfaRecords },
  ) {}

  /** The second factors of a user. */
  async status(user: UserId): Promise<MfaStatus> {
    const { totpStore, totpSettings, secondFactors } = this.kernel;
    const left = await totpStore.recoveryCodesLeft(user);
    const passkeys = await secondFactors.countOf('passkey', user);
    return { mode: totpSettings.mfaMode, totp: left !== undefined, recoveryCodesLeft: left ?? 0, passkeys };
  }

  /**
   * How many users have an authenticator app whose secret the first key of ENCRYPTION_KEYS has encrypted (`encrypts`),
   * an older one (`decrypts`), or a key that is not set any more (`unknown`): these users cannot sign in.
   */
  async secretsByKey(): Promise<SecretCounts> {
    return this.kernel.totpStore.countByKey();
  }

  /** Like `status`, for the caller's user. */
  async statusFor({ sub }: TokenClaims): Promise<MfaStatus> {
    return this.status(this.kernel.users.keyOf(sub));
  }

  /**
   * Replaces the recovery codes of a signed-in user, and voids mailed links.
   *
   * @param claims the claims of the caller's access token
   * @throws totp_not_enabled, reauthentication_required, second_factor_required, token_not_valid
   */
  async renewRecoveryCodes(claims: TokenClaims): Promise<string[]> {
    return this.#change(claims, async (user, em) => {
      const { totpStore, oneTimeKeys, mfaRecords } = this.kernel;
      const found = await totpStore.find(user, em);
      if (!found?.isConfirmed) throw totpError('totp_not_enabled');
      const { recoveryCodes, hashes } = createRecoveryCodes(found.secret);
      await totpStore.replaceRecoveryCodes(user, hashes, em);
      await oneTimeKeys.revokeAll(user, em);
      const event = ['mfa.recovery-codes-created', { user: String(user) }] as const;
      await mfaRecords.change(user, { events: [event], notice: 'recovery-codes-created' }, em);
      return recoveryCodes;
    });
  }

  /**
   * Removes the authenticator app of a signed-in user, and the recovery codes.
   *
   * @param claims the claims of the caller's access token
   * @throws totp_not_enabled, reauthentication_required, second_factor_required, token_not_valid
   * @throws second_factor_required_by_policy if every user must have a second factor, and this is the last one
   */
  async removeTotp(claims: TokenClaims): Promise<void> {
    await this.#change(claims, async (user, em) => {
      if (!(await this.#remove(user, 'user', em))) throw totpError('totp_not_enabled');
      const { totpSettings, sessions } = this.kernel;
      const { secondFactors } = await sessions.ownerOf(user, em);
      if (totpSettings.mfaMode === 'required' && secondFactors.length === 0)
        throw totpError('second_factor_required_by_policy');
    });
  }

  /**
   * Removes the authenticator app and the recovery codes of a user who has lost them, and ends all sessions of the
   * user. For an operator: check first that the request comes from the user. It also mends an account whose row of this
   * module is missing, so that each sign-in asks for a code that no app makes.
   *
   * @returns false if the user has no authenticator app. Only a set-up that waits for its first code is removed then
   */
  async reset(user: UserId): Promise<boolean> {
    const { database, accounts, sessions, sessionEndings } = this.kernel;
    return database.transaction(async (em) => {
      await sessionEndings.lockUser(user, em);
      if (!(await this.#remove(user, 'operator', em))) {
        if (!(await accounts.secondFactorsOf(user, em)).includes('totp')) return false;
        await this.#recordRemoval(user, 'operator', em);
      }
      await sessions.revokeAll(user, { em, reason: 'factor-change' });
      return true;
    });
  }

  /**
   * Removes an authenticator app that was set up at a time or later, when the owner of the mailbox takes the account
   * back. From an app that stays, only the recovery codes are removed, if they were made at that time or later. Call it
   * in a transaction that has locked the user's row.
   */
  async removeSince(user: UserId, { since, hadSecondFactor }: TakenBack, em: EntityManager): Promise<void> {
    const { totpStore, mfaRecords } = this.kernel;
    if (!hadSecondFactor && (await this.#remove(user, 'mailbox-owner', em, since))) return;
    if (!(await totpStore.removeRecoveryCodes(user, since, em))) return;
    const event = ['mfa.recovery-codes-removed', { user: String(user) }] as const;
    await mfaRecords.change(user, { events: [event], notice: 'recovery-codes-removed' }, em);
  }

  /**
   * Removes the authenticator app, in a transaction that has locked the user's row.
   *
   * @param since an app that was set up before that time stays
   * @returns false if the user has no such app
   */
  async #remove(user: UserId, by: MfaDisabled['by'], em: EntityManager, since = new Date(0)): Promise<boolean> {
    if (!(await this.kernel.totpStore.remove(user, since, em))) return false;
    await this.#recordRemoval(user, by, em);
    return true;
  }

  async #recordRemoval(user: UserId, by: MfaDisabled['by'], em: EntityManager): Promise<void> {
    const { accounts, oneTimeKeys, mfaRecords } = this.kernel;
    await accounts.setSecondFactor(user, 'totp', false, em);
    await oneTimeKeys.revokeAll(user, em);
    const event = ['mfa.disabled', { user: String(user), method: 'totp', by }] as const;
    await mfaRecords.change(user, { events: [event], notice: 'totp-disabled' }, em);
  }

  /** Runs a change of a fresh caller, in a transaction that has locked the user's row and the session. */
  async #change<T>(claims: TokenClaims, work: (user: UserId, em: EntityManager) => Promise<T>): Promise<T> {
    const { freshness, users, database, sessionEndings } = this.kernel;
    const user = users.keyOf(claims.sub);
    return database.transaction(async (em) => {
      await sessionEndings.lockUser(user, em);
      await freshness.assert(claims, em);
      return work(user, em);
    });
  }
}
