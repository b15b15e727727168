// The entry point `jwt-allauth/totp`.

export { MfaService, type MfaStatus } from './mfa.service.js';
export { type ChallengeAnswer, MfaVerificationService } from './mfa-verification.service.js';
export { totpModule } from './totp.module.js';
export type { MfaMode, TotpSettings } from './totp.settings.js';
export type { MfaDisabled, MfaEnabled, MfaFailed, RecoveryCodeUsed } from './totp-events.js';
export { type TotpConfirmation, type TotpSetup, TotpSetupService } from './totp-setup.service.js';
export type { SecretCounts } from './totp-store.js';
