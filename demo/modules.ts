import { magicLinkModule } from 'jwt-allauth/magic-link';
import { passkeysModule } from 'jwt-allauth/passkeys';
import { socialModule } from 'jwt-allauth/social';
import { totpModule } from 'jwt-allauth/totp';

/** The library's modules that the demo uses. */
export const MODULES = [totpModule, magicLinkModule, socialModule, passkeysModule];
