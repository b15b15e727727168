import { closedObject, type JsonSchema, type NamedSchema } from '../../http/json-schema.js';
import type { CredentialCookie } from '../../http/route-description.js';
import { BROWSER_COOKIE } from './social-browsers.js';

/** The tag of the routes in the OpenAPI document. */
export const SOCIAL_TAG = 'Providers';

const text: JsonSchema = { type: 'string' };
const instant: JsonSchema = { ...text, format: 'date-time' };

/** The query parameters of the request that begins a sign-in. */
export const START_QUERY = {
  returnTo: 'Where the browser goes afterwards: a path of PUBLIC_URL, or a URL that SOCIAL_RETURN_URLS allows.',
  transport: 'How the refresh token travels, if the settings allow both: `cookie` (default) or `body`.',
  exchange_challenge: 'Binds the code for `POST /social/exchange` to its client: the S256 of a verifier (RFC 7636).',
} as const;

/** The query parameters of a provider's answer. */
export const ANSWER_QUERY = {
  code: 'The authorization code.',
  state: 'The `state` of the request.',
  iss: 'The issuer (RFC 9207).',
  error: 'Why the provider refused.',
} as const;

/** The fields of a provider's answer that comes as a form. */
export const ANSWER_FORM: JsonSchema = {
  type: 'object',
  properties: Object.fromEntries(
    Object.entries(ANSWER_QUERY).map(([name, description]) => [name, { ...text, description }]),
  ),
};

/** Schemas of the fields of requests. */
export const FIELDS = {
  code: { ...text, description: 'The `code` in the fragment of the URL. It can be used once, for a minute.' },
  verifier: { ...text, description: 'The text whose S256 is the `exchange_challenge` of the sign-in, if it has one.' },
  idToken: { ...text, description: "The provider's ID token. It can be used once." },
  nonce: { ...text, description: 'The `nonce` of the ID token, or the text of which it is the SHA-256.' },
  returnTo: { ...text, description: START_QUERY.returnTo },
} as const satisfies Record<string, JsonSchema>;

/** The cookie that binds a sign-in to its browser. */
export const BROWSER: CredentialCookie = {
  scheme: 'socialBrowserCookie',
  name: BROWSER_COOKIE,
  description: 'Set when the sign-in begins.',
};

/** A provider. */
export const PROVIDER: NamedSchema = {
  name: 'AuthProvider',
  schema: closedObject({ id: text, name: { ...text, description: 'For people.' } }),
};

/** The URL of a provider. */
export const PROVIDER_URL: NamedSchema = {
  name: 'AuthProviderUrl',
  schema: closedObject({ url: { ...text, format: 'uri', description: 'Open it in the same browser.' } }),
};

/** A connected account. */
export const SOCIAL_ACCOUNT: NamedSchema = {
  name: 'AuthProviderAccount',
  schema: closedObject({
    id: { ...text, format: 'uuid' },
    provider: { ...text, description: 'The id of the provider.' },
    email: { type: ['string', 'null'], description: 'The address that the provider named last.' },
    connectedAt: instant,
    lastUsedAt: instant,
  }),
};
