import type { Settings } from '../settings/settings.js';
import { isChosenByRequest } from './auth-transport.js';
import { closedObject, type JsonSchema, type NamedSchema } from './json-schema.js';
import { RefreshInput } from './refresh.input.js';
import { RefreshCookie } from './refresh-cookie.js';
import type { RouteAnswer, RouteDescription } from './route-description.js';

const text: JsonSchema = { type: 'string' };

/** An answer with tokens, in the form that the settings choose. */
export function tokenAnswer(description: string, settings: Settings, cookies: readonly string[] = []): RouteAnswer {
  const isChoice = isChosenByRequest(settings);
  const tokenCookie = isChoice ? 'Sets the refresh token, unless it travels in bodies.' : 'Sets the refresh token.';
  const setCookies = [...(settings.refreshTokenAsCookie ? [tokenCookie] : []), ...cookies];
  return {
    description,
    ...(isChoice && { isChosenByRequest: true }),
    json: tokensSchema(settings),
    ...(setCookies.length > 0 && { headers: { 'Set-Cookie': setCookies.join(' ') } }),
  };
}

function tokensSchema(settings: Settings): NamedSchema {
  const isChoice = isChosenByRequest(settings);
  const hasRefresh = isChoice || !settings.refreshTokenAsCookie;
  const schema = closedObject({ access: text, ...(hasRefresh && { refresh: text }), ...tokenType(settings) });
  const required = ['access', ...(hasRefresh && !isChoice ? ['refresh'] : [])];
  return { name: 'AuthTokens', schema: { ...schema, required } };
}

/** The schema of an answer with an access token only. */
export function accessTokenSchema(settings: Settings): NamedSchema {
  const schema = { ...closedObject({ access: text, ...tokenType(settings) }), required: ['access'] };
  return { name: 'AuthAccessToken', schema };
}

/** The property that says how to send the access token. */
function tokenType({ accessTokenBinding }: Settings): Readonly<Record<string, JsonSchema>> {
  const type: JsonSchema = { type: 'string', enum: ['DPoP'], description: 'Present if the session is bound to a key.' };
  return accessTokenBinding ? { token_type: type } : {};
}

/** An answer that removes the refresh token from the client. */
export function signedOutAnswer(description: string, settings: Settings): RouteAnswer {
  const isChoice = isChosenByRequest(settings);
  const clearing = isChoice ? 'Clears the refresh token, unless it travels in bodies.' : 'Clears the refresh token.';
  return {
    description,
    ...(isChoice && { isChosenByRequest: true }),
    ...(settings.refreshTokenAsCookie && { headers: { 'Set-Cookie': clearing } }),
  };
}

/** How a request carries the refresh token: as a cookie, or as a field of the body. */
export function refreshCredential(settings: Settings): Pick<RouteDescription, 'cookie' | 'body' | 'isCookieOrBody'> {
  const body = { input: RefreshInput, required: ['refresh'] };
  if (!settings.refreshTokenAsCookie) return { body };
  const { name } = new RefreshCookie(settings);
  const cookie = { scheme: 'refreshCookie', name, description: 'The refresh token.' };
  return isChosenByRequest(settings) ? { cookie, body, isCookieOrBody: true } : { cookie };
}
