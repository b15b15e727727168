import type { CredentialCookie } from '../http/route-description.js';
import type { OpenApiDocument } from './open-api-document.js';

/** The name of the security scheme of access tokens. */
export const BEARER = 'bearerAuth';

/**
 * The ways to authenticate a request, by name: an access token, and the cookies of the routes. Sorted, so that the
 * result does not depend on the order of the routes.
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
