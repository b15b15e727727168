import type { Settings } from '../settings/settings.js';
import { jsonAnswer } from './answer.js';
import type { OpenApiResponse } from './open-api-document.js';
import { schemaReference } from './schema-reference.js';

/** An answer that hands tokens over, in the way that the settings want. */
export function tokenAnswer(description: string, settings: Settings, cookies: readonly string[] = []): OpenApiResponse {
  const set = [...(settings.refreshTokenAsCookie ? ['Sets the refresh token.'] : []), ...cookies];
  const headers: Record<string, string> = set.length > 0 ? { 'Set-Cookie': set.join(' ') } : {};
  return jsonAnswer(description, schemaReference('AuthTokens'), headers);
}
