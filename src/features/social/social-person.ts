import type { PasswordlessPerson } from '../../sign-in/passwordless-sign-ups.js';
import type { ProviderIdentity } from './social-identity.js';

/** The person to sign up with an account. The app's hook may have chosen the names. */
export function personOf(identity: ProviderIdentity): PasswordlessPerson {
  const { email = '', firstName, lastName, fields, isEmailTrusted } = identity;
  return { email, firstName, lastName, ...namesIn(fields), fields: withoutNames(fields), isProved: isEmailTrusted };
}

const NAMES = ['firstName', 'lastName'];

/** The names that the app's hook has chosen. */
function namesIn(fields: ProviderIdentity['fields'] = {}): { readonly firstName?: string; readonly lastName?: string } {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => NAMES.includes(name)));
}

function withoutNames(fields: ProviderIdentity['fields'] = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !NAMES.includes(name)));
}
