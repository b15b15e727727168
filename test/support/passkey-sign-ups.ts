import type { SoftwareAuthenticator } from '../../src/features/passkeys/testing/index.js';
import { newAuthenticator } from './passkeys-app.js';
import type { TestApp } from './test-app.js';
import type { Answer, TestClient } from './test-client.js';

const SIGN_UP = '/auth/passkeys/sign-up';

/** The account of a sign-up: its address, and names or fields of the app. */
export type Account = { readonly email: string } & Readonly<Record<string, unknown>>;

/** Asks for the options of a sign-up. */
export const askOptions = (client: TestClient, account: object): Promise<Answer> =>
  client.send('POST', `${SIGN_UP}/options`, account);

/** The options of a sign-up. */
export async function signUpOptions(client: TestClient, account: Account) {
  const { status, body } = await askOptions(client, account);
  if (status !== 200) throw new Error(`the options were answered with ${status} ${body.code}`);
  return body;
}

/** Sends a new passkey. The client keeps the tokens. */
export async function sendSignUp(
  client: TestClient,
  body: object,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const answer = await client.send('POST', SIGN_UP, body, headers);
  if (answer.body.access) {
    client.access = answer.body.access;
    client.refreshToken = answer.cookie?.value ?? answer.body.refresh;
  }
  return answer;
}

/** Signs up with a new passkey. */
export async function signUpWithPasskey(
  app: TestApp,
  account: Account,
  authenticator: SoftwareAuthenticator = newAuthenticator(),
) {
  const client = app.client();
  const credential = authenticator.create(await signUpOptions(client, account));
  const answer = await sendSignUp(client, { ...account, credential });
  return { client, authenticator, credential, answer };
}

/** The user with an address. Undefined: no user has it. */
export async function userWith({ database: { pool } }: TestApp, email: string) {
  return (await pool.query('select * from app_user where email = $1', [email])).rows[0];
}
