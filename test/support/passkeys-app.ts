import { passkeysModule } from '../../src/features/passkeys/index.js';
import { SoftwareAuthenticator } from '../../src/features/passkeys/testing/index.js';
import { totpModule } from '../../src/features/totp/index.js';
import type { SettingsInput } from '../../src/index.js';
import type { AuthModule } from '../../src/module-kit.js';
import { entitiesWith } from './codes.module.js';
import { createMailApp, type MailApp, PUBLIC_URL } from './mail-app.js';
import { createPerson, type Person } from './person.js';
import type { TestApp, TestAppOptions } from './test-app.js';
import type { Answer, TestClient } from './test-client.js';

/** What a signature says instead of the truth. */
export type Forgery = NonNullable<Parameters<SoftwareAuthenticator['get']>[1]>;

/** An app with passkeys, TOTP, mails, and other modules, under EMAIL_VERIFICATION=`optional`. */
export function createPasskeysApp(
  settings: SettingsInput = {},
  { modules = [], ...options }: TestAppOptions & { readonly modules?: readonly AuthModule[] } = {},
): Promise<MailApp> {
  const entities = entitiesWith(passkeysModule, totpModule, ...modules);
  const own = { emailVerification: 'optional', passkeyRateLimit: 'off', ...settings } as const;
  return createMailApp(own, { ...options, orm: { entities, ...options.orm } });
}

/** An authenticator in a browser that has a page of the app open. */
export const newAuthenticator = (more: Partial<ConstructorParameters<typeof SoftwareAuthenticator>[0]> = {}) =>
  new SoftwareAuthenticator({ origin: PUBLIC_URL, ...more });

/** A client with a session that was opened without the second factor. */
export async function sessionFor(app: TestApp, id: string, amr: readonly string[] = ['pwd']): Promise<TestClient> {
  const { access, refresh } = await app.auth.sessions.open({ id }, { amr });
  return Object.assign(app.client(), { access, refreshToken: refresh });
}

/** The options for a new passkey. */
export async function creationOptions(client: TestClient) {
  const { status, body } = await client.send('POST', '/auth/passkeys/registration/options', {}, client.bearer);
  if (status !== 200) throw new Error(`the options were answered with ${status} ${body.code}`);
  return body;
}

/** Sends a new passkey. */
export const register = (client: TestClient, body: object): Promise<Answer> =>
  client.send('POST', '/auth/passkeys/registration', body, client.bearer);

/** Adds a passkey to the user of a session. @returns its authenticator and its id in the app */
export async function addPasskey(client: TestClient, authenticator = newAuthenticator(), name?: string) {
  const credential = authenticator.create(await creationOptions(client));
  const { status, body } = await register(client, { credential, name });
  if (status !== 201) throw new Error(`the passkey was answered with ${status} ${body.code}`);
  return { authenticator, id: body.id as string, credentialId: credential.id };
}

/** A person with a password and a passkey, and no session. */
export interface PasskeyOwner extends Person {
  readonly authenticator: SoftwareAuthenticator;
  /** The id of the passkey in the app. */
  readonly passkey: string;
}

/** Makes a person with a passkey. */
export async function createPasskeyOwner(
  app: TestApp,
  authenticator = newAuthenticator(),
  more: Parameters<typeof createPerson>[1] = {},
): Promise<PasskeyOwner> {
  const person = await createPerson(app, more);
  const { id } = await addPasskey(await sessionFor(app, person.id), authenticator);
  await app.auth.sessions.revokeAll(person.id);
  return { ...person, authenticator, passkey: id };
}

/** The options for a signature. */
export async function requestOptions(
  client: TestClient,
  body: { readonly challenge?: string } = {},
  headers: Record<string, string> = {},
) {
  const answer = await client.send('POST', '/auth/passkeys/login/options', body, headers);
  if (answer.status !== 200) throw new Error(`the options were answered with ${answer.status} ${answer.body.code}`);
  return answer.body;
}

/** Signs in with a passkey, or answers a challenge. The client keeps the tokens. */
export async function signIn(
  client: TestClient,
  authenticator: SoftwareAuthenticator,
  { challenge, ...forgery }: Forgery & { readonly challenge?: string } = {},
): Promise<Answer> {
  const body = challenge === undefined ? {} : { challenge };
  return login(client, { ...body, credential: authenticator.get(await requestOptions(client, body), forgery) });
}

/** Sends a signature. The client keeps the tokens. */
export async function login(client: TestClient, body: object, headers: Record<string, string> = {}): Promise<Answer> {
  const answer = await client.send('POST', '/auth/passkeys/login', body, headers);
  if (answer.status === 200) {
    client.access = answer.body.access;
    client.refreshToken = answer.cookie?.value ?? answer.body.refresh;
  }
  return answer;
}

/** The rows of the passkeys of a user, oldest first. */
export async function passkeyRows(app: TestApp, user: string) {
  const sql = 'select * from auth_passkey where user_id = $1 order by created_at, id';
  return (await app.database.pool.query(sql, [user])).rows;
}

/** A value that changes with any row of passkeys, used challenges, users, accounts and sessions. */
export async function rowsOf({ database: { pool } }: TestApp): Promise<string> {
  const tables = ['auth_passkey', 'auth_used_passkey_challenge', 'app_user', 'auth_account', 'auth_session'];
  const hash = (table: string) =>
    `(select md5(coalesce(string_agg(t::text, ',' order by t::text), '')) from ${table} t)`;
  const { rows } = await pool.query(`select concat_ws(' ', ${tables.map(hash).join(', ')}) as rows`);
  return rows[0].rows;
}

/** The same response with another id of the credential, in the members and in the authenticator data. */
export function withCredentialId<T extends { id: string; response: { attestationObject: string } }>(
  credential: T,
  id: string,
): T {
  const bytes = Buffer.from(credential.response.attestationObject, 'base64url');
  const own = Buffer.from(credential.id, 'base64url');
  Buffer.from(id, 'base64url').copy(bytes, bytes.indexOf(own));
  const response = { ...credential.response, attestationObject: bytes.toString('base64url') };
  return { ...credential, id, rawId: id, response };
}
