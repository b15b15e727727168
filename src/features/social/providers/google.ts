import type { ProviderOptions, SocialProvider } from '../social-provider.js';
import { openIdProvider } from './open-id-provider.js';

/** Google. Its addresses are trusted, unless `trustEmail` is false. */
export function google(options: ProviderOptions): SocialProvider {
  const defaults = { id: 'google', name: 'Google', trustEmail: true };
  return openIdProvider({ ...defaults, ...options, issuer: 'https://accounts.google.com' });
}
