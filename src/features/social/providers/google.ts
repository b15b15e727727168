import type { ProviderAnswer, ProviderOptions, ProviderProfile, SocialProvider } from '../social-provider.js';
import { openIdProfile, textOf } from './open-id-profile.js';
import { openIdProvider } from './open-id-provider.js';

/** The domains of Gmail. */
const GMAIL = /@(?:gmail|googlemail)\.com$/i;

/**
 * Google. By default, the addresses of Gmail and of Google Workspace are trusted. Google has verified other addresses
 * once, and their mailbox may have a new owner. With `trustEmail`, all addresses are trusted, or none.
 */
export function google(options: ProviderOptions): SocialProvider {
  const defaults = { id: 'google', name: 'Google', trustEmail: true };
  const profileOf = options.trustEmail === undefined ? hostedProfile : openIdProfile;
  return openIdProvider({ ...defaults, ...options, issuer: 'https://accounts.google.com', profileOf });
}

/** The claim `hd` names the Workspace of the account. */
async function hostedProfile(answer: ProviderAnswer): Promise<ProviderProfile> {
  const profile = await openIdProfile(answer);
  return { ...profile, isEmailHosted: GMAIL.test(profile.email ?? '') || textOf(answer.claims['hd']) !== undefined };
}
