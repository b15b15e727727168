// The entry point `jwt-allauth/social/testing`.

export {
  startTestProvider,
  TestProvider,
  type TestProviderOptions,
  type TestProviderSettings,
} from './test-provider.js';
export type { TestProviderUser } from './test-provider-user.js';
