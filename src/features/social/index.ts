// The entry point `jwt-allauth/social`.

export type { ConfiguredProvider } from './configured-provider.js';
export type { ProviderTokens } from './provider-client.js';
export type { Fetch } from './provider-fetch.js';
export { type AppleOptions, apple } from './providers/apple.js';
export { type GitHubOptions, github } from './providers/github.js';
export { type GitLabOptions, gitlab } from './providers/gitlab.js';
export { google } from './providers/google.js';
export { type MicrosoftOptions, microsoft } from './providers/microsoft.js';
export { type OAuth2ProviderOptions, oauth2Provider } from './providers/oauth2-provider.js';
export { openIdProfile } from './providers/open-id-profile.js';
export { type OpenIdProviderOptions, openIdProvider } from './providers/open-id-provider.js';
export { createSocialModule, type SocialOptions, socialModule } from './social.module.js';
export type { SocialSettings } from './social.settings.js';
export type { SocialAccount } from './social-accounts.js';
export { SocialConnectionService } from './social-connection.service.js';
export type { ProviderConnected, ProviderDisconnected } from './social-events.js';
export { type FlowRequest, type FlowResult, SocialFlowService } from './social-flow.service.js';
export type { MapProfile, MappedProfile, NewUserValues, ProviderIdentity } from './social-identity.js';
export type {
  ClientAuthMethod,
  OAuthEndpoints,
  ProviderAnswer,
  ProviderOptions,
  ProviderProfile,
  SocialProvider,
} from './social-provider.js';
export { SocialSignInService } from './social-sign-in.service.js';
