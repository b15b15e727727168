import { errorOf } from '/client/index.js';

/**
 * @typedef {import('/client/index.js').AuthClient<{ permissions?: readonly string[] }>
 *   & ReturnType<typeof import('/client/mail-methods.js').mailMethods>
 *   & ReturnType<typeof import('/features/totp/totp.client.js').mfaMethods>
 *   & ReturnType<typeof import('/client/magic-link.js').magicLinkMethods>
 *   & ReturnType<typeof import('/client/social.js').socialMethods>
 *   & ReturnType<typeof import('/client/passkeys.js').passkeyMethods>
 *   & ReturnType<ReturnType<typeof import('/client/step-up.js').stepUp>>} Client
 */

/**
 * Sends a request with the access token to one of the demo's own routes.
 *
 * @param {Client} client
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<any>}
 * @throws AuthError as the client's own methods do
 */
export async function requestJson(client, method, path, body) {
  const response = await client.fetch(path, {
    method,
    ...(body && { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
  });
  if (!response.ok) throw await errorOf(response);
  return response.json();
}
