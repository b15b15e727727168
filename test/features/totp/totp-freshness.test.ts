import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { expectProblem } from '../../support/expect-problem.js';
import { claimsOf } from '../../support/race.js';
import type { TestApp } from '../../support/test-app.js';
import { PASSWORD, type TestClient } from '../../support/test-client.js';
import { challenged, createTotpApp, type Enrolment, enrol, verify } from '../../support/totp-app.js';

let app: TestApp;
beforeAll(async () => {
  app = await createTotpApp({ accessTokenLifetime: '1h' });
});
afterAll(() => app.close());

let count = 0;
let email: string;
let client: TestClient;
let enrolment: Enrolment;
beforeEach(async () => {
  email = `fresh${++count}@example.com`;
  client = await app.signedUp(email);
});

const CHANGES = [
  ['POST', '/auth/mfa/totp/setup', {}],
  ['POST', '/auth/mfa/totp/confirm', { code: '000000' }],
  ['POST', '/auth/mfa/recovery-codes', undefined],
  ['DELETE', '/auth/mfa/totp', undefined],
] as const;
const change = ([method, path, body]: readonly [method: string, path: string, body?: object], by = client) =>
  by.send(method, path, body, by.bearer);
const enrolled = async () => (await client.get('/auth/mfa')).body;

describe.each(CHANGES)('%s %s', (...request) => {
  test('is refused ten minutes after the sign-in', async () => {
    app.clock.advance(601);
    const { status, body, headers } = await change(request);
    expect([status, body.code]).toEqual([401, 'reauthentication_required']);
    expect(headers.get('www-authenticate')).toContain('max_age="600"');
    expect(headers.get('cache-control')).toBe('no-store');
  });

  test('is refused for a token without the second factor of the user', async () => {
    enrolment = await enrol(app, client); // the access token is older than the set-up
    const { status, body, headers } = await change(request);
    expect([status, body.code, body.challenge]).toEqual([401, 'second_factor_required', undefined]);
    expect(headers.get('www-authenticate')).toContain('acr_values="mfa"');
    expect(await enrolled()).toMatchObject({ totp: true, recoveryCodesLeft: 10 });
  });

  test('is refused when the second factor was proved ten minutes ago, and a password does not help', async () => {
    enrolment = await enrol(app, client);
    await verify(client, { challenge: await challenged(app, email), code: enrolment.next() });
    app.clock.advance(601);
    expect((await change(request)).body.code).toBe('reauthentication_required');
    const again = await client.send('POST', '/auth/reauthenticate', { password: PASSWORD }, client.bearer);
    expectProblem(again, 401, 'second_factor_required');
    expect((await change(request)).body.code).toBe('reauthentication_required');
  });
});

describe('re-authentication', () => {
  const reauthenticate = (body: object) => client.send('POST', '/auth/reauthenticate', body, client.bearer);
  beforeEach(async () => {
    enrolment = await enrol(app, client);
    await client.refresh();
    app.clock.advance(1200);
  });

  test('by a code or a recovery code makes the session fresh, and each works once', async () => {
    const { session } = claimsOf(client.access);
    const code = enrolment.next();
    const [recoveryCode = ''] = enrolment.recoveryCodes;
    for (const [proof, amr] of [
      [{ code }, ['pwd', 'otp', 'mfa']],
      [{ recoveryCode }, ['pwd', 'otp', 'mfa', 'recovery']],
    ] as const) {
      const answer = await reauthenticate(proof);
      expect(answer.status).toBe(200);
      expect(claimsOf(answer.body.access)).toMatchObject({ session, sub: claimsOf(client.access).sub });
      expect(new Set(claimsOf(answer.body.access).amr)).toEqual(new Set(amr));
      expect((await reauthenticate(proof)).body.code).toBe('incorrect_credentials');
      client.access = answer.body.access;
    }
    expect((await change(CHANGES[2])).status).toBe(200);
    expect((await change(CHANGES[3])).status).toBe(204);
  });

  test('counts wrong codes together with those of sign-ins', async () => {
    const failed: unknown[] = [];
    const stop = app.auth.events.on('mfa.failed', ({ method }) => failed.push(method));
    for (let i = 0; i < 5; i++) {
      expect((await reauthenticate({ code: '000000' })).body.code).toBe('incorrect_credentials');
      const challenge = await challenged(app, email);
      expect((await verify(app.client(), { challenge, recoveryCode: 'x' })).body.code).toBe('code_not_valid');
    }
    stop();
    const code = enrolment.next();
    expect((await reauthenticate({ code })).body.code).toBe('too_many_requests');
    expect(failed.sort()).toEqual([...Array(5).fill('recovery_code'), ...Array(5).fill('totp')]);
    app.clock.advance(900);
    expect((await reauthenticate({ code: enrolment.next() })).status).toBe(200);
  });

  test('is refused to a user without the factor, and to an ended session', async () => {
    const other = await app.signedUp(`none${count}@example.com`);
    const none = await other.send('POST', '/auth/reauthenticate', { code: '000000' }, other.bearer);
    expect([none.status, none.body.code]).toEqual([401, 'incorrect_credentials']);
    await client.logout();
    expect((await reauthenticate({ code: enrolment.next() })).body.code).toBe('token_not_valid');
  });
});
