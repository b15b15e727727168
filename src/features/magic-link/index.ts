// The entry point `jwt-allauth/magic-link`.

export { magicLinkModule } from './magic-link.module.js';
export { MagicLinkService, type MailedCode } from './magic-link.service.js';
export type { MagicLinkSettings } from './magic-link.settings.js';
export type { MagicLinkFailed } from './magic-link-events.js';
