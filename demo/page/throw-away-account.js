/** @typedef {import('./request.js').Client} Client */

/**
 * Signs up with a random address and password, which also signs the visitor in.
 *
 * @param {Client} client
 * @returns {Promise<string>} the address
 */
export async function signUpThrowAway(client) {
  const email = `visitor-${randomHex(4)}@example.com`;
  await client.register({ email, password: randomHex(16) });
  return email;
}

/** @param {number} bytes */
function randomHex(bytes) {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
