import * as openid from 'openid-client';
import type { Clock } from '../../clock.js';
import { PROVIDER_TIMEOUT_SECONDS, type ProviderFetch } from './provider-fetch.js';
import type { SocialProvider } from './social-provider.js';

/** How far the clocks of provider and library may differ. */
const TOLERANCE_SECONDS = 30;

/** Makes the configurations of openid-client for one provider. */
export class OpenIdConfigurations {
  constructor(
    private readonly provider: SocialProvider,
    private readonly kernel: { readonly clock: Clock; readonly isInsecureAllowed: boolean },
    private readonly fetch: ProviderFetch,
  ) {}

  /**
   * A configuration for one use. The clock of the library may differ from that of the system, in tests.
   *
   * @throws what the discovery throws
   */
  async make(clientId = this.provider.clientId): Promise<openid.Configuration> {
    const { server } = this.provider;
    const skew = Math.round((this.kernel.clock.now() - Date.now()) / 1000);
    const metadata = { [openid.clockSkew]: skew, [openid.clockTolerance]: TOLERANCE_SECONDS };
    const execute = [
      // Verifies signatures of ID tokens, only with asymmetric algorithms.
      openid.enableNonRepudiationChecks,
      ...(this.kernel.isInsecureAllowed ? [openid.allowInsecureRequests] : []),
    ];
    if ('tokenEndpoint' in server) {
      const { issuer, authorizationEndpoint: authorization_endpoint, tokenEndpoint: token_endpoint } = server;
      const endpoints = { issuer, authorization_endpoint, token_endpoint };
      const config = new openid.Configuration(endpoints, clientId, metadata, this.#authenticate);
      config.timeout = PROVIDER_TIMEOUT_SECONDS;
      config[openid.customFetch] = (url, options) => this.fetch.send(url, options as RequestInit);
      for (const extend of execute) extend(config);
      return config;
    }
    const config = await openid
      .discovery(new URL(server.issuer), clientId, metadata, this.#authenticate, {
        execute,
        timeout: PROVIDER_TIMEOUT_SECONDS,
        [openid.customFetch]: (url, options) => this.fetch.send(url, options as RequestInit),
      })
      .catch((error) => {
        this.fetch.forgetDiscovery();
        throw error;
      });
    this.fetch.watchKeys(config.serverMetadata().jwks_uri);
    return config;
  }

  /** Authenticates the client at the token endpoint, as the provider's metadata and the options say. */
  readonly #authenticate: openid.ClientAuth = (server, metadata, body, headers) => {
    const { clientSecret, clientAuth } = this.provider;
    const secret = typeof clientSecret === 'function' ? clientSecret(this.kernel.clock.now()) : clientSecret;
    if (secret === undefined) return openid.None()(server, metadata, body, headers);
    const supported = server.token_endpoint_auth_methods_supported;
    const isBasic = clientAuth ? clientAuth === 'client_secret_basic' : supportsBasic(supported);
    const method = isBasic ? openid.ClientSecretBasic(secret) : openid.ClientSecretPost(secret);
    return method(server, metadata, body, headers);
  };
}

/** Whether a provider supports `client_secret_basic`, which is the default (OpenID Connect Discovery §3). */
function supportsBasic(supported: readonly string[] | undefined): boolean {
  return !supported?.includes('client_secret_post') || supported.includes('client_secret_basic');
}
