import type { EntityManager } from '@mikro-orm/postgresql';
import { renderSVG } from 'uqr';
import { toSeconds } from '../../clock.js';
import { authError } from '../../error-table.js';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import type { TokenClaims } from '../../tokens/claims.js';
import type { Tokens } from '../../tokens/tokens.js';
import type { UserId } from '../../users/base-user.entity.js';
import type { PasswordOwner } from '../../users/user.service.js';
import type { MfaRecords } from './mfa-records.js';
import { createRecoveryCodes } from './recovery-codes.js';
import type { TotpSettings } from './totp.settings.js';
import { createTotpSecret, stepOfCode, totpUri } from './totp-codes.js';
import { totpError } from './totp-errors.js';
import { AMR, SETUP_METHOD } from './totp-factor.js';
import type { TotpStore } from './totp-store.js';

/** A secret that is not confirmed yet, in three forms. */
export interface TotpSetup {
  /** In base32, for people who type it. */
  readonly secret: string;
  /** `otpauth://totp/…`, for a link on the device with the authenticator app. */
  readonly uri: string;
  /** The URI as a QR code: an SVG image. */
  readonly qr: string;
}

/** A code that confirms a secret. */
export interface TotpConfirmation {
  readonly code: string;
  /** Whether the user's other sessions end. */
  readonly revokeOthers: boolean;
}

/** Sets up the authenticator app of a user: makes a secret, and confirms it with a first code. */
export class TotpSetupService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      | 'database'
      | 'users'
      | 'accounts'
      | 'sessions'
      | 'sessionEndings'
      | 'oneTimeKeys'
      | 'signIn'
      | 'challenges'
      | 'secondFactors'
      | 'freshness'
      | 'sessionProofs'
      | 'clock'
      | 'settings'
    > & {
      readonly totpSettings: TotpSettings;
      readonly totpStore: TotpStore;
      readonly mfaRecords: MfaRecords;
    },
  ) {}

  /**
   * Makes a secret for a signed-in user. It replaces an earlier one that was not confirmed, and must be confirmed
   * within an hour.
   *
   * @param claims the claims of the caller's access token
   * @throws totp_already_enabled, reauthentication_required, second_factor_required, token_not_valid
   */
  async start(claims: TokenClaims): Promise<TotpSetup> {
    const { database, sessionEndings, freshness, users } = this.kernel;
    const id = users.keyOf(claims.sub);
    return database.transaction(async (em) => {
      await sessionEndings.lockUser(id, em);
      await freshness.assert(claims, em);
      const user = await users.findById(id, em);
      if (!user) throw authError('token_not_valid', { reason: 'no-active-user' });
      return this.#start(user, em);
    });
  }

  /**
   * Makes a secret for a user who must set up a second factor to sign in.
   *
   * @throws challenge_not_valid, totp_already_enabled
   */
  async startAtSignIn(challenge: string): Promise<TotpSetup> {
    const { user, methods } = await this.kernel.challenges.find(challenge);
    if (methods.includes('totp')) throw totpError('totp_already_enabled');
    if (!methods.includes(SETUP_METHOD)) throw authError('challenge_not_valid');
    return this.kernel.database.transaction(async (em) => {
      await this.kernel.sessionEndings.lockUser(user.id, em);
      const { user: current } = await this.kernel.challenges.find(challenge, em);
      return this.#start(current, em);
    });
  }

  async #start({ id, email }: Pick<PasswordOwner, 'id' | 'email'>, em: EntityManager): Promise<TotpSetup> {
    const secret = createTotpSecret();
    if (!(await this.kernel.totpStore.keepPending(id, secret, em))) throw totpError('totp_already_enabled');
    const uri = totpUri(secret, { issuer: this.#issuer, account: email });
    return { secret, uri, qr: renderSVG(uri, { border: 4 }) };
  }

  get #issuer(): string {
    const { totpSettings, settings } = this.kernel;
    if (totpSettings.totpIssuer !== undefined) return totpSettings.totpIssuer;
    return settings.publicUrl === undefined ? 'jwt-allauth' : new URL(settings.publicUrl).hostname;
  }

  /**
   * Confirms the secret of a signed-in user. The caller's session has a second factor from its next refresh on.
   *
   * @param claims the claims of the caller's access token
   * @returns the recovery codes
   * @throws code_not_valid, totp_already_enabled, too_many_requests, reauthentication_required,
   * second_factor_required, token_not_valid
   */
  async confirm(claims: TokenClaims, confirmation: TotpConfirmation, client: SessionClient): Promise<string[]> {
    await this.kernel.freshness.assert(claims);
    const user = this.kernel.users.keyOf(claims.sub);
    const { database, secondFactors, mfaRecords } = this.kernel;
    return mfaRecords.watch({ method: SETUP_METHOD, client }, (setUser) => {
      setUser(user);
      return secondFactors.attempt(user, () => database.transaction((em) => this.#confirm(claims, confirmation, em)));
    });
  }

  async #confirm(claims: TokenClaims, { code, revokeOthers }: TotpConfirmation, em: EntityManager): Promise<string[]> {
    const { users, sessions, sessionEndings, freshness } = this.kernel;
    const user = users.keyOf(claims.sub);
    await sessionEndings.lockUser(user, em);
    await freshness.assert(claims, em);
    const recoveryCodes = await this.#enable(user, code, em);
    if (revokeOthers) await sessions.revokeOthers(claims, { em, reason: 'factor-change' });
    await this.#prove(claims, user, em);
    return recoveryCodes;
  }

  /** Records the first code as a proof of the second factor in the caller's session. */
  async #prove(claims: TokenClaims, user: UserId, em: EntityManager): Promise<void> {
    const { sessions, sessionProofs, clock } = this.kernel;
    const { credentialEpoch } = await sessions.ownerOf(user, em);
    await sessionProofs.add(claims, { amr: AMR.totp_setup, authTime: toSeconds(clock.now()), credentialEpoch }, em);
  }

  /**
   * Confirms the secret of a user who must set up a second factor to sign in, and opens the session.
   *
   * @throws challenge_not_valid, code_not_valid, too_many_requests, and what a gate throws
   */
  async confirmAtSignIn(
    challenge: string,
    { code, revokeOthers }: TotpConfirmation,
    client: SessionClient,
  ): Promise<{ readonly tokens: Tokens; readonly recoveryCodes: readonly string[] }> {
    let recoveryCodes: readonly string[] = [];
    const tokens = await this.kernel.mfaRecords.watch({ method: SETUP_METHOD, client }, (setUser) => {
      const verify = async (user: UserId, em: EntityManager) => {
        setUser(user);
        recoveryCodes = await this.#enable(user, code, em);
        if (revokeOthers) await this.kernel.sessions.revokeAll(user, { em, reason: 'factor-change' });
      };
      return this.kernel.signIn.answer(challenge, { method: SETUP_METHOD, amr: AMR.totp_setup, verify }, client);
    });
    return { tokens, recoveryCodes };
  }

  /** Confirms the secret, in a transaction that has locked the user's row. @returns the recovery codes */
  async #enable(user: UserId, code: string, em: EntityManager): Promise<string[]> {
    const { totpStore, clock, accounts, oneTimeKeys, mfaRecords } = this.kernel;
    const found = await totpStore.find(user, em);
    if (found?.isConfirmed) throw totpError('totp_already_enabled');
    const step = found && stepOfCode(found.secret, code, clock.now());
    if (!found || step === undefined) throw totpError('code_not_valid');
    const { recoveryCodes, hashes } = createRecoveryCodes(found.secret);
    if (!(await totpStore.confirm(user, { ...found, step, hashes }, em))) throw totpError('code_not_valid');
    await accounts.setSecondFactor(user, 'totp', true, em);
    await oneTimeKeys.revokeAll(user, em);
    const about = { user: String(user) };
    const enabled = ['mfa.enabled', { ...about, method: 'totp' }] as const;
    const codesCreated = ['mfa.recovery-codes-created', about] as const;
    await mfaRecords.change(user, { events: [enabled, codesCreated], notice: 'totp-enabled' }, em);
    return recoveryCodes;
  }
}
