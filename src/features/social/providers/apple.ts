import type { ProviderAnswer, ProviderOptions, ProviderProfile, SocialProvider } from '../social-provider.js';
import { appleClientSecret } from './apple-client-secret.js';
import { openIdProfile } from './open-id-profile.js';
import { openIdProvider } from './open-id-provider.js';

/** Options of `apple`. */
export interface AppleOptions extends Omit<ProviderOptions, 'clientSecret'> {
  /** The id of your service (Services ID). Native apps have their bundle ids in `nativeClientIds`. */
  readonly clientId: string;
  readonly teamId: string;
  readonly keyId: string;
  /** The content of the `.p8` file: a private key in PEM. */
  readonly privateKey: string;
}

/**
 * Apple. The client secret is a JWT that the library signs for each request. Apple answers with a form, and sends the
 * user's name only at the first sign-in. Its addresses are trusted, unless `trustEmail` is false.
 *
 * @throws TypeError if the private key is not a P-256 key in PEM
 */
export function apple({ teamId, keyId, privateKey, ...options }: AppleOptions): SocialProvider {
  const { clientId, parameters } = options;
  const provider = openIdProvider({
    id: 'apple',
    name: 'Apple',
    scopes: ['openid', 'name', 'email'],
    trustEmail: true,
    clientAuth: 'client_secret_post',
    ...options,
    issuer: 'https://appleid.apple.com',
    parameters: { ...parameters, response_mode: 'form_post' },
    profileOf,
  });
  return { ...provider, isFormPost: true, clientSecret: appleClientSecret({ clientId, teamId, keyId, privateKey }) };
}

async function profileOf(answer: ProviderAnswer): Promise<ProviderProfile> {
  return { ...(await openIdProfile(answer)), ...answer.unsignedName };
}
