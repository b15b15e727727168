import type { Settings } from '../settings/settings.js';
import { emptyAnswer, jsonAnswer } from './answer.js';
import type { AuthOperation } from './auth-operation.js';
import type { OpenApiResponse } from './open-api-document.js';
import { schemaReference } from './schema-reference.js';
import { REFRESH_COOKIE } from './security-schemes.js';

/** An answer that hands tokens over, in the way that the settings want. */
export function tokenAnswer(description: string, settings: Settings, cookies: readonly string[] = []): OpenApiResponse {
  const set = [...(settings.refreshTokenAsCookie ? ['Sets the refresh token.'] : []), ...cookies];
  const headers: Record<string, string> = set.length > 0 ? { 'Set-Cookie': set.join(' ') } : {};
  return jsonAnswer(description, schemaReference('AuthTokens'), headers);
}

/** An answer after which there is no refresh token. */
export function signedOutAnswer(description: string, { refreshTokenAsCookie }: Settings): OpenApiResponse {
  return emptyAnswer(description, refreshTokenAsCookie ? { 'Set-Cookie': 'Clears the refresh token.' } : {});
}

/** The refresh token of a request: a cookie, or a field of the body. */
export function refreshCredential({
  refreshTokenAsCookie,
}: Settings): Pick<AuthOperation, 'security' | 'body' | 'isParsed'> {
  return refreshTokenAsCookie ? { security: REFRESH_COOKIE, isParsed: true } : { body: 'AuthRefreshInput' };
}
