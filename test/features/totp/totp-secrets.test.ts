import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { totpCode } from '../../../src/features/totp/totp-testing.js';
import { ENCRYPTION_KEY } from '../../support/encryption-key.js';
import { expectProblem } from '../../support/expect-problem.js';
import { claimsOf } from '../../support/race.js';
import type { TestApp } from '../../support/test-app.js';
import type { TestClient } from '../../support/test-client.js';
import { challenged, createTotpApp, type Enrolment, enrol, verify } from '../../support/totp-app.js';

const NEW_KEY = randomBytes(32).toString('base64url');

let app: TestApp;
const others: TestApp[] = [];
beforeAll(async () => {
  app = await createTotpApp();
});
afterEach(async () => {
  for (const other of others.splice(0)) await other.close();
});
afterAll(() => app.close());

let count = 0;
let email: string;
let client: TestClient;
let enrolment: Enrolment;
beforeEach(async () => {
  email = `secret${++count}@example.com`;
  client = await app.signedUp(email);
  enrolment = await enrol(app, client);
});

const sub = () => claimsOf(client.access).sub as string;
const row = async () => (await app.database.pool.query('select * from auth_totp where user_id = $1', [sub()])).rows[0];
/** A server on the same database, with other keys. */
async function serverWith(...keys: string[]): Promise<TestApp> {
  const other = await createTotpApp({ encryptionKeys: keys.join(',') }, { database: app.database });
  other.clock.advance((app.clock.now() - other.clock.now()) / 1000);
  others.push(other);
  return other;
}
const signIn = async (on: TestApp, answer: { code?: string; recoveryCode?: string }) =>
  verify(on.client(), { challenge: await challenged(on, email), ...answer });

test('the table has neither the secret nor the recovery codes', async () => {
  const stored = JSON.stringify(await row());
  expect(stored).not.toContain(enrolment.secret);
  for (const code of enrolment.recoveryCodes) {
    expect(stored).not.toContain(code);
    expect(stored).not.toContain(code.replace('-', ''));
  }
  const { secret, recovery_codes: codes, expires_at: expiresAt } = await row();
  expect(secret).toMatch(/^[\da-f]{8}\.[\w-]{80,}$/);
  expect(codes).toEqual(Array(10).fill(expect.stringMatching(/^[\w-]{43}$/)));
  expect(expiresAt).toBeNull();
});

test('a pending secret is encrypted too', async () => {
  const other = await app.signedUp(`pending${count}@example.com`);
  const { body } = await other.send('POST', '/auth/mfa/totp/setup', {}, other.bearer);
  const sql = 'select secret from auth_totp where user_id = $1';
  const { rows } = await app.database.pool.query(sql, [claimsOf(other.access).sub]);
  expect(rows[0].secret).toMatch(/^[\da-f]{8}\.[\w-]{80,}$/);
  expect(rows[0].secret).not.toContain(body.secret);
});

test('the secret of one user is useless in the row of another', async () => {
  const thief = `thief${count}@example.com`;
  const own = await app.signedUp(thief);
  const theirs = await enrol(app, own);
  // A thief who can write to the table gives the victim their own secret.
  const sql = 'update auth_totp v set secret = t.secret from auth_totp t where v.user_id = $1 and t.user_id = $2';
  await app.database.pool.query(sql, [sub(), claimsOf(own.access).sub]);
  const answer = await signIn(app, { code: theirs.next() });
  expectProblem(answer, 500, 'internal_error');
  expect(app.log.splice(0).at(-1)).toMatchObject({ level: 'error', reason: 'is damaged' });
});

test('a new encryption key encrypts a secret when it is used, and the old key can be removed then', async () => {
  const [older] = String((await row()).secret).split('.');
  const both = await serverWith(NEW_KEY, ENCRYPTION_KEY);
  expect((await signIn(both, { code: totpCode(enrolment.secret, both.clock.now() + 30_000) })).status).toBe(200);
  expect(String((await row()).secret).split('.')[0]).not.toBe(older);
  const only = await serverWith(NEW_KEY);
  only.clock.advance(60);
  expect((await signIn(only, { code: totpCode(enrolment.secret, only.clock.now()) })).status).toBe(200);
  const [recoveryCode = ''] = enrolment.recoveryCodes;
  expect((await signIn(only, { recoveryCode })).status).toBe(200); // the rotation changed no hash
});

test('the use of a recovery code encrypts the secret again, too', async () => {
  const [older] = String((await row()).secret).split('.');
  const both = await serverWith(NEW_KEY, ENCRYPTION_KEY);
  const [recoveryCode = ''] = enrolment.recoveryCodes;
  expect((await signIn(both, { recoveryCode })).status).toBe(200);
  expect(String((await row()).secret).split('.')[0]).not.toBe(older);
});

test('a use with the first key leaves the encrypted secret as it is', async () => {
  const { secret } = await row();
  expect((await signIn(app, { code: enrolment.next() })).status).toBe(200);
  expect((await row()).secret).toBe(secret);
});

test('without the key, a right code is an error of the server and is not counted', async () => {
  const foreign = await serverWith(NEW_KEY);
  const challenge = await challenged(foreign, email);
  for (let i = 0; i < 12; i++) {
    const code = totpCode(enrolment.secret, foreign.clock.now());
    expectProblem(await verify(foreign.client(), { challenge, code }), 500, 'internal_error');
  }
  expect(foreign.log.splice(0).at(-1)).toMatchObject({ reason: 'was sealed with a key that is not set here' });
  expect((await signIn(app, { code: enrolment.next() })).status).toBe(200);
});
