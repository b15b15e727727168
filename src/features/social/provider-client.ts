import * as openid from 'openid-client';
import type { Clock } from '../../clock.js';
import type { ExpectedClaims } from './native-id-token.js';
import { OpenIdConfigurations } from './open-id-configurations.js';
import { toSocialError } from './provider-errors.js';
import { type Fetch, ProviderFetch } from './provider-fetch.js';
import { providerRefused } from './social-errors.js';
import { isOpenId, type ProviderAnswer, type SocialProvider } from './social-provider.js';

/** The parameters of an authorization request that the callback checks. */
export interface FlowSecrets {
  readonly state: string;
  readonly nonce: string;
  /** Of PKCE (RFC 7636). */
  readonly codeVerifier: string;
}

/** Tokens of a provider, for its APIs. */
export interface ProviderTokens {
  readonly accessToken: string;
  readonly refreshToken?: string;
  /** When the access token expires, in seconds since the epoch. Undefined if the provider does not say it. */
  readonly expiresAt?: number;
  readonly scope?: string;
}

/** What a provider said, with the issuer that said it. */
export interface VerifiedAnswer extends ProviderAnswer {
  readonly issuer: string;
  readonly tokens?: ProviderTokens;
}

type AnswerTokens = Awaited<ReturnType<typeof openid.authorizationCodeGrant>>;

/** The protocol with one provider: OpenID Connect or OAuth 2, by openid-client. */
export class ProviderClient {
  readonly #fetch: ProviderFetch;
  readonly #configurations: OpenIdConfigurations;

  constructor(
    readonly provider: SocialProvider,
    private readonly kernel: {
      readonly clock: Clock;
      readonly fetch: Fetch;
      /** Whether the provider may be on this machine, without TLS. */
      readonly isInsecureAllowed: boolean;
    },
  ) {
    this.#fetch = new ProviderFetch(kernel.fetch);
    this.#configurations = new OpenIdConfigurations(provider, kernel, this.#fetch);
  }

  /** Makes the values of an authorization request that must not be guessed. */
  static secrets(): Omit<FlowSecrets, 'state'> {
    return { nonce: openid.randomNonce(), codeVerifier: openid.randomPKCECodeVerifier() };
  }

  /** The URL at which the user signs in at the provider. @throws provider_unavailable, provider_refused */
  async authorizationUrl(redirectUri: string, { state, nonce, codeVerifier }: FlowSecrets): Promise<string> {
    const { scopes, parameters } = this.provider;
    return this.#run(async (config) => {
      const url = openid.buildAuthorizationUrl(config, {
        ...parameters,
        redirect_uri: redirectUri,
        scope: scopes.join(' '),
        state,
        ...(isOpenId(this.provider) && { nonce }),
        code_challenge: await openid.calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: 'S256',
      });
      return url.href;
    });
  }

  /**
   * Checks the provider's answer, and exchanges its code for tokens.
   *
   * @param answer the redirect URI, with the parameters of the answer
   * @throws provider_unavailable, provider_refused
   */
  async redeem(answer: URL, { state, nonce, codeVerifier }: FlowSecrets): Promise<VerifiedAnswer> {
    const isOpen = isOpenId(this.provider);
    const checks = {
      expectedState: state,
      pkceCodeVerifier: codeVerifier,
      ...(isOpen && { expectedNonce: nonce, idTokenExpected: true }),
    };
    return this.#run(async (config) => {
      const tokens = await openid.authorizationCodeGrant(config, answer, checks);
      const claims = tokens.claims();
      const issuer = claims ? claims.iss : config.serverMetadata().issuer;
      return { issuer, ...this.#answerOf(config, tokens), tokens: this.#tokensOf(tokens) };
    });
  }

  /**
   * Checks an ID token that a native app got from the provider.
   *
   * @returns also when the token expires, in seconds since the epoch
   * @throws provider_unavailable, provider_refused
   */
  async verify(
    idToken: string,
    { audience, nonce }: ExpectedClaims,
  ): Promise<VerifiedAnswer & { readonly exp: number }> {
    const answer = new URL('http://localhost/');
    answer.hash = new URLSearchParams({ id_token: idToken }).toString();
    return this.#run(async (config) => {
      openid.useIdTokenResponseType(config);
      const claims = await openid.implicitAuthentication(config, answer, nonce);
      const none = async () => undefined;
      return { claims, issuer: claims.iss, exp: claims.exp, userInfo: none, getJson: none };
    }, audience);
  }

  #answerOf(config: openid.Configuration, tokens: AnswerTokens): ProviderAnswer {
    const claims = tokens.claims() ?? {};
    const { access_token: accessToken } = tokens;
    const headers = () => new Headers({ accept: 'application/json' });
    return {
      claims,
      userInfo: async () => {
        if (config.serverMetadata().userinfo_endpoint === undefined) return undefined;
        const sub = String((claims as { sub?: unknown }).sub);
        return translated(() => openid.fetchUserInfo(config, accessToken, sub));
      },
      getJson: async (url) =>
        translated(async () => {
          const get = ['GET', undefined, headers()] as const;
          const response = await openid.fetchProtectedResource(config, accessToken, new URL(url), ...get);
          if (!response.ok) throw providerRefused(`the API answered ${response.status}`);
          return response.json();
        }),
    };
  }

  #tokensOf({ access_token, refresh_token, expires_in, scope }: AnswerTokens): ProviderTokens {
    const now = Math.floor(this.kernel.clock.now() / 1000);
    return {
      accessToken: access_token,
      ...(refresh_token && { refreshToken: refresh_token }),
      ...(expires_in !== undefined && { expiresAt: now + Math.floor(expires_in) }),
      ...(scope && { scope }),
    };
  }

  async #run<T>(work: (config: openid.Configuration) => Promise<T>, clientId?: string): Promise<T> {
    return translated(async () => {
      const config = await this.#configurations.make(clientId);
      const { keys } = this.#fetch;
      if (keys) openid.setJwksCache(config, keys as openid.ExportedJWKSCache);
      try {
        return await work(config);
      } finally {
        this.#fetch.keep(openid.getJwksCache(config), keys);
      }
    });
  }
}

async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toSocialError(error);
  }
}
