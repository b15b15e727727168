import type { CredentialCookie } from '../http/route-description.js';
import type { OpenApiDocument } from './open-api-document.js';

/** The scheme of access tokens. */
export const BEARER = 'bearerAuth';

/**
 * How requests can show who sends them, by name: with an access token, and with the cookies that routes describe. The
 * order does not depend on that of the routes.
 */
export function securitySchemes(
  cookies: readonly CredentialCookie[],
): OpenApiDocument['components']['securitySchemes'] {
  const entries = cookies.map(({ scheme, name, description }) => [
    scheme,
    { type: 'apiKey', in: 'cookie', name, description },
  ]);
  return {
    [BEARER]: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'An access token.' },
    ...Object.fromEntries(entries.toSorted(([one], [other]) => (String(one) > String(other) ? -1 : 1))),
  };
}
