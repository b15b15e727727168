import type { OAuth2Options, ProviderAnswer, ProviderProfile, SocialProvider } from '../social-provider.js';
import { oauth2Provider } from './oauth2-provider.js';
import { namesOf, textOf } from './open-id-profile.js';

/** Options of `github`. */
export interface GitHubOptions extends OAuth2Options {
  /** The URL of GitHub Enterprise. Default: `https://github.com`. */
  readonly url?: string;
  /** The URL of its API. Default: `https://api.github.com`, or `<url>/api/v3`. */
  readonly apiUrl?: string;
}

/** GitHub, by OAuth 2. The address is the primary one of the account, if GitHub has verified it. */
export function github(options: GitHubOptions): SocialProvider {
  const { url = 'https://github.com', apiUrl = options.url ? `${url}/api/v3` : 'https://api.github.com' } = options;
  return oauth2Provider({
    id: 'github',
    name: 'GitHub',
    scopes: ['read:user', 'user:email'],
    ...options,
    // GitHub sends this value as `iss` of its answers (RFC 9207).
    issuer: `${url}/login/oauth`,
    authorizationEndpoint: `${url}/login/oauth/authorize`,
    tokenEndpoint: `${url}/login/oauth/access_token`,
    profileOf: (answer) => profileOf(answer, apiUrl),
  });
}

async function profileOf(answer: ProviderAnswer, apiUrl: string): Promise<ProviderProfile> {
  const user = (await answer.getJson(`${apiUrl}/user`)) as Readonly<Record<string, unknown>> | null;
  const emails = await answer.getJson(`${apiUrl}/user/emails`);
  const id = user?.['id'];
  const primary = (Array.isArray(emails) ? emails : []).find((each) => each?.primary === true);
  return {
    sub: typeof id === 'number' && Number.isSafeInteger(id) ? String(id) : '', // an empty one is refused
    email: textOf(primary?.email),
    isEmailVerified: primary?.verified === true,
    ...namesOf(user?.['name']),
  };
}
