// The entry point `jwt-allauth/passkeys`.

export type { PasskeyAdded, PasskeyDisabled, PasskeyFailed, PasskeyFault, PasskeyRemoved } from './passkey-events.js';
export { type NewPasskeyResponse, PasskeyRegistrationService } from './passkey-registration.service.js';
export { type PasskeyPrompt, PasskeySignInService } from './passkey-sign-in.service.js';
export { type PasskeyPerson, type PasskeySignUp, PasskeySignUpService } from './passkey-sign-up.service.js';
export type { Passkey } from './passkey-store.js';
export { passkeysModule } from './passkeys.module.js';
export { PasskeysService } from './passkeys.service.js';
export type { PasskeysSettings } from './passkeys.settings.js';
