import type { ProviderAnswer, ProviderOptions, ProviderProfile, SocialProvider } from '../social-provider.js';
import { openIdProfile } from './open-id-profile.js';

/** Options of `openIdProvider`. */
export interface OpenIdProviderOptions extends ProviderOptions {
  readonly id: string;
  /** An https URL. The discovery document is at `<issuer>/.well-known/openid-configuration`. */
  readonly issuer: string;
  /** Reads the profile from the provider's answer. Default: the standard claims. */
  readonly profileOf?: (answer: ProviderAnswer) => Promise<ProviderProfile>;
}

/** Makes an OpenID provider (OpenID Connect Core), found by its issuer. Its addresses are not trusted by default. */
export function openIdProvider(options: OpenIdProviderOptions): SocialProvider {
  const { id, issuer, name = id, profileOf = openIdProfile } = options;
  const { scopes = ['openid', 'email', 'profile'] } = options;
  return {
    id,
    name,
    server: { issuer },
    clientId: options.clientId,
    nativeClientIds: options.nativeClientIds ?? [],
    clientSecret: options.clientSecret,
    clientAuth: options.clientAuth,
    scopes: scopes.includes('openid') ? scopes : ['openid', ...scopes],
    parameters: options.parameters ?? {},
    isFormPost: false,
    trustEmail: options.trustEmail ?? false,
    trustMfa: options.trustMfa ?? false,
    profileOf,
  };
}
