import { JwtAllauthError } from '../../error.js';
import { validateInput } from '../../http/validate-input.js';
import type { AuthKernel } from '../../kernel.js';
import type { Seal } from '../../secrets/seal.js';
import { ProviderAddressInput } from './provider-address.input.js';
import type { ProviderTokens, VerifiedAnswer } from './provider-client.js';
import { providerRefused } from './social-errors.js';
import type { MapProfile, NewUserValues, ProviderIdentity } from './social-identity.js';
import type { SocialProvider } from './social-provider.js';

/** The form of a `sub` (OpenID Connect Core §2): at most 255 characters of ASCII, without control characters. */
const SUB = /^(?=.*[\x21-\x7e])[\x20-\x7e]{1,255}$/;

/** Maximum length of a name, as in the user's entity. */
const MAX_NAME_LENGTH = 150;

/** Properties of a user that only the library may write. */
const GUARDED = ['id', 'role', 'isActive', 'emailVerified', 'passwordHash', 'email'];

/** Makes identities from what providers say. Every value of a provider is checked before it is stored or shown. */
export class ProviderIdentities {
  readonly #seal: Seal;

  constructor(
    private readonly kernel: Pick<AuthKernel, 'encryption' | 'orm' | 'users'> & {
      /** The app's hook. */
      readonly mapProfile?: MapProfile;
      /** Whether the provider's tokens are kept. */
      readonly keepTokens?: boolean;
    },
  ) {
    this.#seal = kernel.encryption.sealFor('provider tokens');
  }

  /**
   * The identity in a provider's answer.
   *
   * @throws provider_refused, provider_unavailable, and what the app's hook throws
   */
  async of(provider: SocialProvider, answer: VerifiedAnswer): Promise<ProviderIdentity> {
    const { sub, email, isEmailVerified, isEmailHosted, firstName, lastName } = await provider.profileOf(answer);
    if (typeof sub !== 'string' || !SUB.test(sub)) throw providerRefused('the account has no valid `sub`');
    const { issuer, claims, tokens } = answer;
    const address = addressOf(email);
    const account = {
      provider: provider.id,
      issuer,
      sub,
      ...(address !== undefined && { email: address }),
      isEmailVerified: address !== undefined && isEmailVerified === true,
      isEmailTrusted: provider.trustEmail && isEmailHosted !== false,
      firstName: nameOf(firstName),
      lastName: nameOf(lastName),
    };
    const fields = this.#assertWritable((await this.kernel.mapProfile?.({ ...account, claims })) ?? {});
    const isMfa = provider.trustMfa && Array.isArray(claims['amr']) && claims['amr'].includes('mfa');
    return {
      ...account,
      amr: isMfa ? ['fed', 'mfa'] : ['fed'],
      fields,
      ...(this.kernel.keepTokens && tokens && { tokens: this.#sealTokens(account, tokens) }),
    };
  }

  /** @throws TypeError for a property that only the library may write, or that the user's entity does not have */
  #assertWritable(values: NewUserValues): NewUserValues {
    const { orm, users } = this.kernel;
    const { className, properties } = orm.getMetadata().get(users.entity);
    for (const name of Object.keys(values)) {
      if (GUARDED.includes(name)) throw new TypeError(`mapProfile: only the library may write "${name}" of a user`);
      if (!Object.hasOwn(properties, name)) throw new TypeError(`mapProfile: ${className} has no property "${name}"`);
    }
    return values;
  }

  #sealTokens(account: Pick<ProviderIdentity, 'issuer' | 'sub'>, tokens: ProviderTokens): string {
    return this.#seal.seal(JSON.stringify(tokens), boundTo(account));
  }

  /** Decrypts the tokens of an account. @throws UnsealError */
  openTokens(account: Pick<ProviderIdentity, 'issuer' | 'sub'>, sealed: string): ProviderTokens {
    return JSON.parse(this.#seal.open(sealed, boundTo(account))) as ProviderTokens;
  }
}

function boundTo({ issuer, sub }: Pick<ProviderIdentity, 'issuer' | 'sub'>): string {
  return JSON.stringify([issuer, sub]);
}

/** An address with printable ASCII characters before the last `@`. */
const ASCII_LOCAL_PART = /^[ -~]*@[^@]*$/;

/**
 * The address in its normal form. Undefined for an address that no user may have, and for one whose local part becomes
 * ASCII by the normalization: the provider has then verified another mailbox. For example, the Kelvin sign becomes a
 * `k`.
 */
function addressOf(email: unknown): string | undefined {
  try {
    const address = validateInput(ProviderAddressInput, { email }).email;
    return ASCII_LOCAL_PART.test(address) && !ASCII_LOCAL_PART.test(String(email).trim()) ? undefined : address;
  } catch (error) {
    if (error instanceof JwtAllauthError) return undefined;
    throw error;
  }
}

/** A name without control characters, cut to the length of the column. */
function nameOf(name: unknown): string | undefined {
  if (typeof name !== 'string') return undefined;
  const visible = name
    .toWellFormed()
    .replace(/\p{Cc}/gu, ' ')
    .trim();
  return [...visible].slice(0, MAX_NAME_LENGTH).join('') || undefined;
}
