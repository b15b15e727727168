import { magicLinkModule } from 'jwt-allauth/magic-link';
import { totpModule } from 'jwt-allauth/totp';

/** The library's modules that the demo uses. */
export const MODULES = [totpModule, magicLinkModule];
