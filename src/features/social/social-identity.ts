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
  /** Whether the provider is trusted for this address (`trustEmail`): it is no proof of a mailbox otherwise. */
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

/** What the app's code may do with an account before it signs in. See `SocialOptions.mapProfile`. */
export interface MappedProfile extends Omit<ProviderIdentity, 'amr' | 'fields' | 'tokens'> {
  /** The claims of the ID token. Empty for a provider without ID tokens. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Values of properties of the user's entity. Any other name, and what only the library may write, is refused. */
export type NewUserValues = Readonly<Record<string, unknown>>;

/** The app's hook. It may refuse the account by throwing the app's own error. */
export type MapProfile = (profile: MappedProfile) => NewUserValues | undefined | Promise<NewUserValues | undefined>;
