import { Table } from '../../database/table.js';
import { TableSweep } from '../../database/table-sweep.js';
import type { AuthModule } from '../../module.js';
import { createMfaController } from './mfa.controller.js';
import { MfaService } from './mfa.service.js';
import { mfaResetCommand } from './mfa-command.js';
import { MfaRecords } from './mfa-records.js';
import { createMfaVerificationController } from './mfa-verification.controller.js';
import { MfaVerificationService } from './mfa-verification.service.js';
import { createTotpEntity, TOTP_ENTITY } from './totp.entity.js';
import { TOTP_MAILS } from './totp.mails.js';
import { CreateTotp } from './totp.migration.js';
import { TotpSettings } from './totp.settings.js';
import { TOTP_ERRORS } from './totp-errors.js';
import { totpFactor } from './totp-factor.js';
import { totpKeysCheck } from './totp-keys-check.js';
import { TotpProofs } from './totp-proofs.js';
import { TotpReAuthentication } from './totp-re-authentication.js';
import { createTotpSetupController } from './totp-setup.controller.js';
import { TotpSetupService } from './totp-setup.service.js';
import { TotpStore } from './totp-store.js';
import { AddTotpTimes } from './totp-times.migration.js';

declare module '../../jwt-allauth.js' {
  interface JwtAllauth {
    /** Second factors, with the module `jwt-allauth/totp`. */
    readonly mfa: MfaService;
  }
}

/** Codes of authenticator apps (TOTP, RFC 6238) as a second factor, and recovery codes. */
export const totpModule: AuthModule<TotpSettings> = {
  name: 'totp',
  settings: TotpSettings,
  errors: TOTP_ERRORS,
  mails: TOTP_MAILS,
  entities: (user) => [createTotpEntity(user)],
  migrations: [
    { name: 'JwtAllauth_20261130_totp', class: CreateTotp },
    { name: 'JwtAllauth_20261130_totp_times', class: AddTotpTimes },
  ],
  commands: [mfaResetCommand],
  checks: [totpKeysCheck],
  create(kernel, settings) {
    const { make, database, orm, http } = kernel;
    const totpStore = new TotpStore(kernel);
    const parts = { ...kernel, totpSettings: settings, totpStore, mfaRecords: new MfaRecords(kernel) };
    const own = { ...parts, totpProofs: new TotpProofs(parts) };
    const mfa = make(MfaService, own);
    const totpSetup = make(TotpSetupService, own);
    const mfaVerification = make(MfaVerificationService, own);
    return {
      controllers: [
        createMfaController(mfa, http.prefix),
        createTotpSetupController(totpSetup, http),
        createMfaVerificationController(mfaVerification, http),
      ],
      secondFactors: [totpFactor({ totpStore, mfa }, settings)],
      reAuthentications: [
        new TotpReAuthentication(own, 'code', 'totp'),
        new TotpReAuthentication(own, 'recoveryCode', 'recovery_code'),
      ],
      sweeps: { totpSetups: new TableSweep(database, Table.named(orm, TOTP_ENTITY), { since: 'expiresAt' }) },
      api: { mfa },
    };
  },
};
