import type { Settings } from '../settings/settings.js';
import { closedObject, type JsonSchema, type NamedSchema } from './json-schema.js';
import { RefreshInput } from './refresh.input.js';
import { RefreshCookie } from './refresh-cookie.js';
import type { RouteAnswer, RouteDescription } from './route-description.js';

const text: JsonSchema = { type: 'string' };

/** An answer that hands tokens over, in the way that the settings want. */
export function tokenAnswer(description: string, settings: Settings, cookies: readonly string[] = []): RouteAnswer {
  const set = [...(settings.refreshTokenAsCookie ? ['Sets the refresh token.'] : []), ...cookies];
  return {
    description,
    json: tokensSchema(settings),
    ...(set.length > 0 && { headers: { 'Set-Cookie': set.join(' ') } }),
  };
}

function tokensSchema({ refreshTokenAsCookie }: Settings): NamedSchema {
  return {
    name: 'AuthTokens',
    schema: closedObject({ access: text, ...(!refreshTokenAsCookie && { refresh: text }) }),
  };
}

/** An answer after which there is no refresh token. */
export function signedOutAnswer(description: string, { refreshTokenAsCookie }: Settings): RouteAnswer {
  return { description, ...(refreshTokenAsCookie && { headers: { 'Set-Cookie': 'Clears the refresh token.' } }) };
}

/** The refresh token of a request: a cookie, or a field of the body. */
export function refreshCredential(settings: Settings): Pick<RouteDescription, 'cookie' | 'body'> {
  if (!settings.refreshTokenAsCookie) return { body: { input: RefreshInput, required: ['refresh'] } };
  const { name } = new RefreshCookie(settings);
  return { cookie: { scheme: 'refreshCookie', name, description: 'The refresh token.' } };
}
