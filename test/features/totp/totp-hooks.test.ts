import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { totpCode } from '../../../src/features/totp/totp-testing.js';
import type { SignInHook } from '../../../src/index.js';
import { authError } from '../../../src/module-kit.js';
import { expectProblem } from '../../support/expect-problem.js';
import { claimsOf } from '../../support/race.js';
import type { TestApp } from '../../support/test-app.js';
import type { TestClient } from '../../support/test-client.js';
import { challenged, createTotpApp, type Enrolment, enrol, verify } from '../../support/totp-app.js';

/** The `amr` with which the hook was called. */
const seen: SignInHook['amr'][] = [];
let hook: () => Promise<void>;
const hooks = {
  async beforeSignIn({ amr }: SignInHook) {
    seen.push(amr);
    await hook();
  },
};

let app: TestApp;
let strict: TestApp;
beforeAll(async () => {
  app = await createTotpApp({ auditLog: true }, { auth: { hooks } });
  strict = await createTotpApp({ mfaMode: 'required' }, { auth: { hooks } });
});
afterAll(() => Promise.all([app.close(), strict.close()]));

let count = 0;
let email: string;
let owner: TestClient;
let enrolment: Enrolment;
let challenge: string;
beforeEach(async () => {
  hook = async () => {};
  email = `hooked${++count}@example.com`;
  owner = await app.signedUp(email);
  enrolment = await enrol(app, owner);
  challenge = await challenged(app, email);
  seen.length = 0;
});

const query = async (sql: string, values: unknown[] = []) => (await app.database.pool.query(sql, values)).rows;
const eventsOf = async (event: string) =>
  query('select details from auth_audit_event where event = $1 and user_id = $2', [event, claimsOf(owner.access).sub]);

test('beforeSignIn does not run after a wrong answer, which is counted and recorded once', async () => {
  expectProblem(await verify(app.client(), { challenge, code: '000000' }), 400, 'code_not_valid');
  expectProblem(await verify(app.client(), { challenge, recoveryCode: 'aaaaa-aaaaa' }), 400, 'code_not_valid');
  expect(seen).toEqual([]);
  expect(await eventsOf('mfa.failed')).toMatchObject([{ details: { method: 'totp' } }, {}]);
  expect(await query('select attempts from auth_challenge order by expires_at desc limit 1')).toEqual([
    { attempts: 2 },
  ]);
});

test('beforeSignIn runs once after a right answer, with its methods, and the answer is used and recorded once', async () => {
  const [recoveryCode = ''] = enrolment.recoveryCodes;
  expect((await verify(app.client(), { challenge, recoveryCode })).status).toBe(200);
  expect(seen).toEqual([['pwd', 'recovery', 'mfa']]);
  expect(await eventsOf('mfa.recovery-code-used')).toEqual([{ details: { left: 9 } }]);
});

test('a right answer that beforeSignIn refuses is not used up', async () => {
  const code = enrolment.next();
  hook = async () => {
    throw authError('permission_denied');
  };
  for (let time = 0; time < 12; time++)
    expectProblem(await verify(app.client(), { challenge, code }), 403, 'permission_denied');
  hook = async () => {};
  expect((await verify(app.client(), { challenge, code })).status).toBe(200);
});

test('if a sign-in requires a set-up, beforeSignIn runs only after the right first code', async () => {
  const body = { email, password: 'a sentence of some length' };
  const answer = await strict.client().send('POST', '/auth/registration', body);
  const by = { challenge: answer.body.challenge };
  const setUp = await strict.client().send('POST', '/auth/mfa/totp/setup', by);
  seen.length = 0;
  const confirm = (code: string) => strict.client().send('POST', '/auth/mfa/totp/confirm', { ...by, code });
  expectProblem(await confirm('000000'), 400, 'code_not_valid');
  expect(seen).toEqual([]);
  const { status, body: confirmed } = await confirm(totpCode(setUp.body.secret, strict.clock.now()));
  expect([status, confirmed.recoveryCodes.length, seen]).toEqual([200, 10, [['pwd', 'otp', 'mfa']]]);
  const verified = await verify(strict.client(), {
    challenge: (await strict.client().send('POST', '/auth/login', body)).body.challenge,
    recoveryCode: confirmed.recoveryCodes[0],
  });
  expect(verified.status).toBe(200); // the recovery codes in the answer are the stored ones
});

test('a failing hook shows neither code nor challenge of the request in the log', async () => {
  const [recoveryCode = ''] = enrolment.recoveryCodes;
  const code = enrolment.next();
  const print = (secret: object) => async () => {
    throw Object.assign(new Error(`failed for ${JSON.stringify(secret)}`), { secret });
  };
  for (const answer of [{ recoveryCode }, { code }]) {
    hook = print({ challenge, ...answer });
    expectProblem(await verify(app.client(), { challenge, ...answer }), 500, 'internal_error');
  }
  const log = app.log.splice(0);
  expect(log.map(({ reason }) => reason)).toEqual([
    'failed for {"challenge":"[redacted]","recoveryCode":"[redacted]"}',
    'failed for {"challenge":"[redacted]","code":"[redacted]"}',
  ]);
  for (const secret of [challenge, recoveryCode, code]) expect(inspect(log, { depth: 9 })).not.toContain(secret);
});
