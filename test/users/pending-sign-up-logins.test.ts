import { afterEach, expect, test } from 'vitest';
import { type HashOptions, PasswordHasher } from '../../src/index.js';
import { expectProblem } from '../support/expect-problem.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { PASSWORD } from '../support/test-client.js';

const ADA = 'ada@example.com';
const STRANGER = 'the password of a stranger';
const WRONG = 'a password of nobody';
let app: MailApp;
afterEach(() => app.close());

let computations = 0;
/** Counts the computations of argon2. */
class CountingHasher extends PasswordHasher {
  override async hash(password: string, options?: HashOptions): Promise<string> {
    computations++;
    return super.hash(password, options);
  }
  override async verify(passwordHash: string | null | undefined, password: string): Promise<boolean> {
    computations++;
    return super.verify(passwordHash, password);
  }
}

const signUp = (email: string, password: string) =>
  app.client().send('POST', '/auth/registration', { email, password });
const login = (email: string, password = PASSWORD) => app.client().login(email, password);

/** The number of computations of a sign-in, and its answer. */
async function costOf(email: string, password: string): Promise<[code: string | undefined, count: number]> {
  computations = 0;
  const { body } = await login(email, password);
  return [body.code, computations];
}

test('a refused sign-in takes two computations, whatever sign-ups wait for the address, and a correct password one', async () => {
  app = await createMailApp({ emailVerification: 'mandatory' }, { auth: { services: [CountingHasher] } });
  await signUp(ADA, PASSWORD);
  await app.open(await app.linkTo(ADA));
  await signUp('one@example.com', STRANGER);
  for (let i = 0; i < 12; i++) await signUp('many@example.com', `${STRANGER} ${i}`);
  expect(await costOf('nobody@example.com', WRONG)).toEqual(['incorrect_credentials', 2]);
  expect(await costOf(ADA, WRONG)).toEqual(['incorrect_credentials', 2]);
  for (let i = 0; i < 3; i++) await signUp(ADA, `${STRANGER} ${i}`);
  expect(await costOf(ADA, WRONG)).toEqual(['incorrect_credentials', 2]);
  expect(await costOf(ADA, `${STRANGER} 0`)).toEqual(['email_not_verified', 2]);
  expect(await costOf(ADA, PASSWORD)).toEqual([undefined, 1]);
  expect(await costOf('one@example.com', WRONG)).toEqual(['incorrect_credentials', 2]);
  expect(await costOf('one@example.com', STRANGER)).toEqual(['email_not_verified', 2]);
  expect(await costOf('many@example.com', WRONG)).toEqual(['incorrect_credentials', 2]);
  expect(await costOf('many@example.com', `${STRANGER} 0`)).toEqual(['email_not_verified', 2]);
  expect(await costOf('many@example.com', `${STRANGER} 11`)).toEqual(['email_not_verified', 2]);
});

test('in the other modes a sign-in takes one computation', async () => {
  app = await createMailApp({ emailVerification: 'optional' }, { auth: { services: [CountingHasher] } });
  await app.signedUp(ADA);
  expect(await costOf(ADA, WRONG)).toEqual(['incorrect_credentials', 1]);
  expect(await costOf('nobody@example.com', WRONG)).toEqual(['incorrect_credentials', 1]);
});

test('an app’s own hashing, which has no known salts, still distinguishes the newest sign-up from a wrong password', async () => {
  class PepperedHasher extends PasswordHasher {
    override hash(password: string) {
      return super.hash(`pepper ${password}`);
    }
    override verify(passwordHash: string | null | undefined, password: string) {
      return super.verify(passwordHash, `pepper ${password}`);
    }
  }
  app = await createMailApp({ emailVerification: 'mandatory' }, { auth: { services: [PepperedHasher] } });
  await signUp(ADA, PASSWORD);
  expectProblem(await login(ADA), 401, 'email_not_verified');
  expectProblem(await login(ADA, WRONG), 401, 'incorrect_credentials');
  await app.open(await app.linkTo(ADA));
  expect((await login(ADA)).status).toBe(200);
});

test("a sign-in to another person's pending sign-up neither resets the count of guesses nor adds to it", async () => {
  app = await createMailApp({ emailVerification: 'mandatory', loginRateLimit: '3/15m/account+ip' });
  await signUp(ADA, PASSWORD);
  await app.open(await app.linkTo(ADA));
  await signUp(ADA, STRANGER);
  for (let i = 0; i < 2; i++) expectProblem(await login(ADA, `${WRONG} ${i}`), 401, 'incorrect_credentials');
  for (let i = 0; i < 5; i++) expectProblem(await login(ADA, STRANGER), 401, 'email_not_verified');
  expectProblem(await login(ADA, `${WRONG} 2`), 401, 'incorrect_credentials');
  expectProblem(await login(ADA, STRANGER), 429, 'too_many_requests');
});

test('at a network where the owner is known, a used-up limit answers such a sign-up like any wrong password', async () => {
  app = await createMailApp({ emailVerification: 'mandatory', loginRateLimit: '3/15m/ip' });
  await signUp(ADA, PASSWORD);
  await app.open(await app.linkTo(ADA));
  expect((await login(ADA)).status).toBe(200);
  for (const email of [ADA, 'free@example.com']) await signUp(email, STRANGER);
  for (let i = 0; i < 3; i++) await login('nobody@example.com', `${WRONG} ${i}`);
  expectProblem(await login('free@example.com', STRANGER), 429, 'too_many_requests');
  expectProblem(await login(ADA, STRANGER), 429, 'too_many_requests');
  expect((await login(ADA)).status).toBe(200);
});

test('users who were unconfirmed in older versions are confirmed by their own link, or signed in, per mode', async () => {
  app = await createMailApp({ emailVerification: 'optional' });
  await app.signedUp(ADA);
  const link = await app.linkTo(ADA);
  await app.database.pool.query("update auth_one_time_key set purpose = 'registration'"); // as older versions did
  await app.database.pool.query('delete from auth_session');
  const [before] = (await app.database.pool.query('select * from app_user')).rows;
  const strict = await createMailApp({ emailVerification: 'mandatory' }, { database: app.database });
  const again = { email: ADA, password: STRANGER };
  expect((await strict.client().send('POST', '/auth/registration', again)).status).toBe(201);
  expectProblem(await strict.client().login(ADA), 401, 'email_not_verified');
  expectProblem(await strict.client().login(ADA, STRANGER), 401, 'email_not_verified');
  expect((await app.database.pool.query('select * from app_user')).rows).toEqual([before]);
  expect((await strict.open(link.replace(app.url, strict.url))).status).toBe(200);
  expect((await strict.client().login(ADA)).status).toBe(200);
  expect((await app.database.pool.query('select * from app_user')).rows).toEqual([{ ...before, email_verified: true }]);
  await strict.close();
});
