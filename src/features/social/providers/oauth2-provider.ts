import type {
  OAuth2Options,
  OAuthEndpoints,
  ProviderAnswer,
  ProviderProfile,
  SocialProvider,
} from '../social-provider.js';

/** Options of `oauth2Provider`. */
export interface OAuth2ProviderOptions extends OAuth2Options, OAuthEndpoints {
  readonly id: string;
  /** Reads the profile from the provider's API (`answer.getJson`). */
  readonly profileOf: (answer: ProviderAnswer) => Promise<ProviderProfile>;
}

/** Makes an OAuth 2 provider without ID tokens (RFC 6749). It has no native sign-in. */
export function oauth2Provider(options: OAuth2ProviderOptions): SocialProvider {
  const { id, issuer, authorizationEndpoint, tokenEndpoint, name = id, profileOf } = options;
  return {
    id,
    name,
    server: { issuer, authorizationEndpoint, tokenEndpoint },
    clientId: options.clientId,
    nativeClientIds: [],
    clientSecret: options.clientSecret,
    clientAuth: options.clientAuth,
    scopes: options.scopes ?? [],
    parameters: options.parameters ?? {},
    isFormPost: false,
    trustEmail: options.trustEmail ?? false,
    trustMfa: false,
    profileOf,
  };
}
