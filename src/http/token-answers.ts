import type { Settings } from '../settings/settings.js';
import { isChosenByRequest } from './auth-transport.js';
import { closedObject, type JsonSchema, type NamedSchema } from './json-schema.js';
import { RefreshInput } from './refresh.input.js';
import { RefreshCookie } from './refresh-cookie.js';
import type { RouteAnswer, RouteDescription } from './route-description.js';

const text: JsonSchema = { type: 'string' };

/** An answer that hands tokens over, in the way that the settings want. */
export function tokenAnswer(description: string, settings: Settings, cookies: readonly string[] = []): RouteAnswer {
  const isEither = isChosenByRequest(settings);
  const setting = isEither ? 'Sets the refresh token, unless it travels in bodies.' : 'Sets the refresh token.';
  const set = [...(settings.refreshTokenAsCookie ? [setting] : []), ...cookies];
  return {
    description,
    ...(isEither && { isChosenByRequest: true }),
    json: tokensSchema(settings),
    ...(set.length > 0 && { headers: { 'Set-Cookie': set.join(' ') } }),
  };
}

function tokensSchema(settings: Settings): NamedSchema {
  const isEither = isChosenByRequest(settings);
  const hasRefresh = isEither || !settings.refreshTokenAsCookie;
  const schema = closedObject({ access: text, ...(hasRefresh && { refresh: text }) });
  return { name: 'AuthTokens', schema: isEither ? { ...schema, required: ['access'] } : schema };
}

/** An answer after which there is no refresh token. */
export function signedOutAnswer(description: string, settings: Settings): RouteAnswer {
  const isEither = isChosenByRequest(settings);
  const clearing = isEither ? 'Clears the refresh token, unless it travels in bodies.' : 'Clears the refresh token.';
  return {
    description,
    ...(isEither && { isChosenByRequest: true }),
    ...(settings.refreshTokenAsCookie && { headers: { 'Set-Cookie': clearing } }),
  };
}

/** The refresh token of a request: a cookie, or a field of the body. */
export function refreshCredential(settings: Settings): Pick<RouteDescription, 'cookie' | 'body' | 'isCookieOrBody'> {
  const body = { input: RefreshInput, required: ['refresh'] };
  if (!settings.refreshTokenAsCookie) return { body };
  const { name } = new RefreshCookie(settings);
  const cookie = { scheme: 'refreshCookie', name, description: 'The refresh token.' };
  return isChosenByRequest(settings) ? { cookie, body, isCookieOrBody: true } : { cookie };
}
