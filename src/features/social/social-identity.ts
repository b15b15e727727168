/** An account at a provider, after all checks. */
export interface ProviderIdentity {
  /** The id of the provider in the app. */
  readonly provider: string;
  /** The issuer, and the id of the account there. */
  readonly issuer: string;
  readonly sub: string;
  /** Normalised. Undefined if the provider named no address, or one that no user may have. */
  readonly email?: string;
  readonly isEmailVerified: boolean;
  /** Whether the provider is trusted for this address (`trustEmail`). Otherwise the address proves no mailbox. */
  readonly isEmailTrusted: boolean;
  readonly firstName?: string;
  readonly lastName?: string;
  /** The methods for the `amr` of the session. */
  readonly amr: readonly string[];
  /** Values of the app's own properties of a new user. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** The provider's tokens, encrypted for this account. Undefined unless the app keeps them. */
  readonly tokens?: string;
}

/** An account that is about to sign in or to be connected, as the app's hook gets it (`SocialOptions.mapProfile`). */
export interface MappedProfile extends Omit<ProviderIdentity, 'amr' | 'fields' | 'tokens'> {
  /** The claims of the ID token. Empty for a provider without ID tokens. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Values for properties of the user's entity. Properties that only the library may write are refused. */
export type NewUserValues = Readonly<Record<string, unknown>>;

/** The app's hook. It may refuse the account by throwing the app's own error. */
export type MapProfile = (profile: MappedProfile) => NewUserValues | undefined | Promise<NewUserValues | undefined>;
