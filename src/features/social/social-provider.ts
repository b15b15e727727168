/** Fields of an account at a provider. */
export interface ProviderProfile {
  /** The id of the account at the provider. It never changes, and is never given to another account. */
  readonly sub: string;
  readonly email?: string;
  /** Whether the provider says that the account's owner reads this mailbox. */
  readonly isEmailVerified: boolean;
  /** False: `trustEmail` does not apply, because the mailbox is not at the provider and may have another owner now. */
  readonly isEmailHosted?: boolean;
  readonly firstName?: string;
  readonly lastName?: string;
}

/** What a provider said about an account, after all checks of the protocol. */
export interface ProviderAnswer {
  /** The claims of the ID token. Empty for a provider without ID tokens. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** The claims of the UserInfo endpoint, if the provider has one. Undefined if it has none, or at a native sign-in. */
  userInfo(): Promise<Readonly<Record<string, unknown>> | undefined>;
  /**
   * Reads JSON from the provider's API with the access token.
   *
   * @throws provider_unavailable, provider_refused
   */
  getJson(url: string): Promise<unknown>;
  /** The name that the browser sent together with the provider's answer. Only Apple sends one. It is not signed. */
  readonly unsignedName?: { readonly firstName?: string; readonly lastName?: string };
}

/** The endpoints of an OAuth 2 provider that has no discovery document. */
export interface OAuthEndpoints {
  /** An https URL that identifies the provider. It is the `iss` of its accounts. */
  readonly issuer: string;
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
}

/** How the client authenticates at the token endpoint (OpenID Connect Core §9). */
export type ClientAuthMethod = 'client_secret_basic' | 'client_secret_post';

/**
 * A provider of accounts. The library has ready ones (`google`, `microsoft`, `apple`, `github`, `gitlab`), and makes
 * others with `openIdProvider` and `oauth2Provider`.
 */
export interface SocialProvider {
  /** Its name in paths and in the database, such as `google`. Do not change it later. */
  readonly id: string;
  /** Its name for people. */
  readonly name: string;
  /** The issuer of an OpenID provider, or the endpoints of an OAuth 2 provider. */
  readonly server: { readonly issuer: string } | OAuthEndpoints;
  readonly clientId: string;
  /** Other client ids, whose ID tokens native sign-in accepts. */
  readonly nativeClientIds: readonly string[];
  /** The secret, or a function that makes one that is valid now (in milliseconds). Undefined for a public client. */
  readonly clientSecret?: string | ((now: number) => string);
  /** Default: `client_secret_basic`, unless the provider supports only `client_secret_post`. */
  readonly clientAuth?: ClientAuthMethod;
  readonly scopes: readonly string[];
  /** Additional parameters of the authorization request. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Whether the provider answers with a form (`response_mode=form_post`). */
  readonly isFormPost: boolean;
  /** Whether an address that the provider has verified may link the provider's account to an existing user. */
  readonly trustEmail: boolean;
  /** Whether `mfa` in the provider's `amr` counts as a second factor. */
  readonly trustMfa: boolean;
  /** Reads the profile from the provider's answer. @throws provider_unavailable, provider_refused */
  profileOf(answer: ProviderAnswer): Promise<ProviderProfile>;
}

/** Options that all providers have. */
export interface ProviderOptions {
  readonly clientId: string;
  readonly clientSecret?: string;
  /** Default: the provider's own name. */
  readonly id?: string;
  /** The name for people. */
  readonly name?: string;
  /** In place of the default scopes. */
  readonly scopes?: readonly string[];
  readonly parameters?: Readonly<Record<string, string>>;
  readonly nativeClientIds?: readonly string[];
  readonly clientAuth?: ClientAuthMethod;
  readonly trustEmail?: boolean;
  readonly trustMfa?: boolean;
}

/** Options of providers without ID tokens: native sign-in and `trustMfa` need ID tokens. */
export type OAuth2Options = Omit<ProviderOptions, 'nativeClientIds' | 'trustMfa'>;

/** Whether a provider has ID tokens and a discovery document. */
export function isOpenId({ server }: SocialProvider): boolean {
  return !('tokenEndpoint' in server);
}
