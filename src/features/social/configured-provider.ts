import { openIdProvider } from './providers/open-id-provider.js';
import type { SocialProvider } from './social-provider.js';

/** An OpenID provider as SOCIAL_PROVIDERS has it. */
export interface ConfiguredProvider {
  readonly id: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret?: string;
  readonly name?: string;
  readonly scopes?: readonly string[];
  readonly trustEmail?: boolean;
}

/** The form of a provider's id. It is a part of paths. */
const ID = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/;

/** Names that are paths of the library. */
const RESERVED = ['providers', 'accounts', 'exchange'];

const isText = (value: unknown) => typeof value === 'string' && value.trim() !== '';
const isOptionalText = (value: unknown) => value === undefined || isText(value);

/** The rules for the members of a provider. */
const MEMBERS: Readonly<Record<string, readonly [rule: string, test: (value: unknown) => boolean]>> = {
  id: ['must be lower-case letters, digits and dashes, at most 32', isProviderId],
  issuer: ['must be a URL such as https://accounts.example.com', isText],
  clientId: ['must be a text', isText],
  clientSecret: ['must be a text', isOptionalText],
  name: ['must be a text', isOptionalText],
  scopes: ['must be a list of texts', (value) => value === undefined || (Array.isArray(value) && value.every(isText))],
  trustEmail: ['must be true or false', (value) => value === undefined || typeof value === 'boolean'],
};

/** Whether a text can be the id of a provider. */
export function isProviderId(value: unknown): boolean {
  return typeof value === 'string' && ID.test(value) && !RESERVED.includes(value);
}

/** What is wrong with a list of providers, without its values. Undefined if nothing is. */
export function providersFault(value: unknown): string | undefined {
  if (!Array.isArray(value)) return 'it is not a list';
  for (const [index, provider] of value.entries()) {
    if (typeof provider !== 'object' || provider === null) return `number ${index + 1} is not an object`;
    const unknown = Object.keys(provider).find((name) => !Object.hasOwn(MEMBERS, name));
    if (unknown !== undefined)
      return `number ${index + 1} has the unknown member ${JSON.stringify(unknown.slice(0, 32))}`;
    for (const [name, [rule, test]] of Object.entries(MEMBERS)) {
      if (!test((provider as Readonly<Record<string, unknown>>)[name])) return `${name} of number ${index + 1} ${rule}`;
    }
  }
  return undefined;
}

/** Makes the provider of a setting. */
export function toProvider(configured: ConfiguredProvider): SocialProvider {
  return openIdProvider(configured);
}
