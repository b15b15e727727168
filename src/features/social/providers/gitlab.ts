import type { ProviderOptions, SocialProvider } from '../social-provider.js';
import { openIdProvider } from './open-id-provider.js';

/** Options of `gitlab`. */
export interface GitLabOptions extends ProviderOptions {
  /** The URL of the instance. Default: `https://gitlab.com`. */
  readonly url?: string;
}

/** GitLab, or an own instance of it. */
export function gitlab({ url = 'https://gitlab.com', ...options }: GitLabOptions): SocialProvider {
  return openIdProvider({ id: 'gitlab', name: 'GitLab', ...options, issuer: url });
}
