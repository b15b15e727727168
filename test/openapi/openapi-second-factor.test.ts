import { afterAll, expect, test } from 'vitest';
import { answerChecker, documentOf, operationsOf } from '../support/documented-app.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { PASSWORD } from '../support/test-client.js';
import { createTotpMailApp, enrol } from '../support/totp-app.js';

const apps: MailApp[] = [];
afterAll(async () => {
  for (const app of apps) await app.close();
});

async function start(created: Promise<MailApp>): Promise<MailApp> {
  const app = await created;
  apps.push(app);
  return app;
}

/** The operations whose 401 can have the members of a challenge. */
const challenging = (app: MailApp) =>
  operationsOf(documentOf(app))
    .filter(({ operation }) => JSON.stringify(operation.responses['401'] ?? '').includes('"expires_in"'))
    .map(({ method, path }) => `${method.toUpperCase()} ${path}`)
    .sort();

const SIGN_INS = ['POST /auth/login', 'POST /auth/password/change', 'POST /auth/password/reset/set-new'];

test('the routes that sign users in can answer with a challenge, in an app with second factors', async () => {
  const app = await start(createTotpMailApp({ invitations: true }));
  const atSignUp = ['POST /auth/registration', 'POST /auth/registration/set-password'];
  expect(challenging(app)).toEqual([...SIGN_INS, ...atSignUp]);
  const mandatory = await start(createTotpMailApp({ emailVerification: 'mandatory' }));
  expect(challenging(mandatory)).toEqual(SIGN_INS);
  const without = await start(createMailApp({ invitations: true }));
  expect(challenging(without)).toEqual([]);
});

test('challenges match the document', async () => {
  const app = await start(createTotpMailApp({ mfaMode: 'required' }));
  const check = answerChecker(documentOf(app));
  const account = { email: 'ada@example.com', password: PASSWORD };
  const signUp = await app.client().send('POST', '/auth/registration', account);
  expect([signUp.status, signUp.body.methods]).toEqual([401, ['totp_setup']]);
  expect(check('POST', '/auth/registration', signUp)).toEqual([]);
  await enrol(app, app.client(), { challenge: signUp.body.challenge });
  const login = await app.client().send('POST', '/auth/login', account);
  expect([login.status, login.body.methods]).toEqual([401, ['totp', 'recovery_code']]);
  expect(check('POST', '/auth/login', login)).toEqual([]);
  for (const wrong of [{ challenge: 1 }, { methods: 'totp' }, { expires_in: '300' }]) {
    expect(check('POST', '/auth/login', { ...login, body: { ...login.body, ...wrong } })).not.toEqual([]);
  }
});
