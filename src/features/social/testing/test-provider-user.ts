import { createHash } from 'node:crypto';

/** The user who signs in at the provider. */
export interface TestProviderUser {
  /** Identifies the user at this provider. Default: derived from the address, so that it stays the same. */
  readonly sub?: string;
  /** Without it, the provider returns no address. */
  readonly email?: string;
  /** Default: true. */
  readonly emailVerified?: boolean;
  readonly name?: string;
  readonly givenName?: string;
  readonly familyName?: string;
  /** How the user signed in at the provider (RFC 8176), such as `['pwd', 'mfa']`. */
  readonly amr?: readonly string[];
  /** Any other claims of the ID token and of the UserInfo response. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** The standard claims about a user (OpenID Connect Core 1.0 §5.1). */
export function claimsOfUser(user: TestProviderUser): Record<string, unknown> {
  const { sub, email, emailVerified = true, name, givenName, familyName, amr, claims } = user;
  return {
    sub: sub ?? subOf(email ?? name ?? ''),
    ...(email !== undefined && { email, email_verified: emailVerified }),
    ...(name !== undefined && { name }),
    ...(givenName !== undefined && { given_name: givenName }),
    ...(familyName !== undefined && { family_name: familyName }),
    ...(amr !== undefined && { amr }),
    ...claims,
  };
}

const subOf = (address: string) => createHash('sha256').update(address.toLowerCase()).digest('hex').slice(0, 20);
