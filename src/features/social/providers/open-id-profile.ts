import type { ProviderAnswer, ProviderProfile } from '../social-provider.js';

type Claims = Readonly<Record<string, unknown>>;

/** A claim that must be a text. Undefined for any other value. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value : undefined;
}

/** Whether a claim is true. Some providers send it as text. */
export function isTrue(value: unknown): boolean {
  return value === true || value === 'true';
}

/** Maximum length of a name that is split: the time grows with the square of the spaces in it. */
const MAX_NAME_LENGTH = 400;

/** First and last name from one text, where a provider has no separate ones. */
export function namesOf(name: unknown): Pick<ProviderProfile, 'firstName' | 'lastName'> {
  const text = textOf(name)?.trim().slice(0, MAX_NAME_LENGTH) ?? '';
  const [, firstName, lastName] = /^(\S+)(?:\s+(.*\S))?\s*$/s.exec(text) ?? [];
  return { firstName, lastName };
}

/** The names in standard claims (OpenID Connect Core §5.1). */
export function namesOfClaims({
  given_name,
  family_name,
  name,
}: Claims): Pick<ProviderProfile, 'firstName' | 'lastName'> {
  const [firstName, lastName] = [textOf(given_name), textOf(family_name)];
  return firstName || lastName ? { firstName, lastName } : namesOf(name);
}

/**
 * The profile in standard claims. An ID token without an address is completed from the UserInfo endpoint. Address and
 * `email_verified` always come from the same source.
 */
export async function openIdProfile(answer: ProviderAnswer): Promise<ProviderProfile> {
  const { claims } = answer;
  const more = textOf(claims['email']) ? {} : ((await answer.userInfo()) ?? {});
  const source = textOf(claims['email']) ? claims : more;
  return {
    sub: String(claims['sub']),
    email: textOf(source['email']),
    isEmailVerified: isTrue(source['email_verified']),
    ...namesOfClaims({ ...more, ...claims }),
  };
}
