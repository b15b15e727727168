// The entry point `jwt-allauth/social/testing`.

export { type FollowedSignIn, followSignIn } from './follow-sign-in.js';
export {
  startTestProvider,
  TestProvider,
  type TestProviderOptions,
  type TestProviderSettings,
} from './test-provider.js';
export type { TestProviderUser } from './test-provider-user.js';
