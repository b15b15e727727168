import type { ProviderAnswer, ProviderOptions, ProviderProfile, SocialProvider } from '../social-provider.js';
import { isTrue, openIdProfile } from './open-id-profile.js';
import { openIdProvider } from './open-id-provider.js';

/** Options of `microsoft`. */
export interface MicrosoftOptions extends ProviderOptions {
  /**
   * The id of your tenant, or `common` (all accounts, the default), `organizations` (work and school accounts) or
   * `consumers` (personal accounts).
   */
  readonly tenant?: string;
}

/**
 * Microsoft Entra ID. With `common` and `organizations`, the issuer of an ID token is that of the user's tenant
 * (`tid`).
 *
 * The administrator of any tenant can set the claim `email` to any address. So an address counts as verified only if
 * the token has `xms_edov`, an optional claim of the app registration, and it is not trusted by default.
 */
export function microsoft({ tenant = 'common', ...options }: MicrosoftOptions): SocialProvider {
  const issuer = `https://login.microsoftonline.com/${encodeURIComponent(tenant)}/v2.0`;
  return openIdProvider({ id: 'microsoft', name: 'Microsoft', ...options, issuer, profileOf });
}

async function profileOf(answer: ProviderAnswer): Promise<ProviderProfile> {
  const edov = answer.claims['xms_edov'];
  const isEmailVerified = isTrue(edov) || edov === 1 || edov === '1';
  // The UserInfo endpoint does not say whether an address is verified.
  return { ...(await openIdProfile({ ...answer, userInfo: async () => undefined })), isEmailVerified };
}
