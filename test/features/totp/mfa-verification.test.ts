import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { totpCode } from '../../../src/features/totp/totp-testing.js';
import { expectProblem } from '../../support/expect-problem.js';
import { claimsOf } from '../../support/race.js';
import type { TestApp } from '../../support/test-app.js';
import { PASSWORD, type TestClient } from '../../support/test-client.js';
import { challenged, createTotpApp, type Enrolment, enrol, verify } from '../../support/totp-app.js';

let app: TestApp;
beforeAll(async () => {
  app = await createTotpApp();
});
afterAll(() => app.close());

let count = 0;
let email: string;
let owner: TestClient;
let enrolment: Enrolment;
const failures: unknown[] = [];
let stop: () => void;
beforeEach(async () => {
  email = `verify${++count}@example.com`;
  owner = await app.signedUp(email);
  enrolment = await enrol(app, owner);
  failures.length = 0;
  stop = app.auth.events.on('mfa.failed', ({ at: _, ...event }) => failures.push(event));
});
afterEach(() => stop());

const sub = () => claimsOf(owner.access).sub as string;
const sessionCount = async () =>
  (await app.database.pool.query('select 1 from auth_session where user_id = $1', [sub()])).rows.length;

describe('a right answer', () => {
  test('signs in with a cookie, an access token, and the methods in amr', async () => {
    app.clock.advance(60);
    const challenge = await challenged(app, email);
    const client = app.client();
    const answer = await verify(client, { challenge, code: enrolment.next() });
    expect([answer.status, answer.body]).toEqual([200, { access: expect.any(String) }]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.cookie?.name).toBe('refresh_token');
    expect(claimsOf(client.access)).toMatchObject({ sub: sub(), amr: ['pwd', 'otp', 'mfa'] });
    expect((await client.refresh()).status).toBe(200);
    expect(claimsOf(client.access).amr).toEqual(['pwd', 'otp', 'mfa']);
    expect(failures).toEqual([]);
  });

  test('may have spaces, and may be one time step early or late', async () => {
    for (const drift of [-1, 1]) {
      app.clock.advance(120);
      const challenge = await challenged(app, email);
      const code = totpCode(enrolment.secret, app.clock.now() + drift * 30_000);
      const spaced = `${code.slice(0, 3)} ${code.slice(3)}`;
      expect((await verify(app.client(), { challenge, code: spaced })).status).toBe(200);
    }
  });

  test('uses the challenge up', async () => {
    const challenge = await challenged(app, email);
    expect((await verify(app.client(), { challenge, code: enrolment.next() })).status).toBe(200);
    const before = await sessionCount();
    expectProblem(await verify(app.client(), { challenge, code: enrolment.next() }), 401, 'challenge_not_valid');
    expect(await sessionCount()).toBe(before);
  });

  test('by a recovery code works once for each code, and says how many are left', async () => {
    const used: unknown[] = [];
    const stopListening = app.auth.events.on('mfa.recovery-code-used', ({ at: _, ...event }) => used.push(event));
    const [first = '', second = ''] = enrolment.recoveryCodes;
    const client = app.client();
    const challenge = await challenged(app, email);
    expect((await verify(client, { challenge, recoveryCode: first })).status).toBe(200);
    expect(claimsOf(client.access).amr).toEqual(['pwd', 'recovery', 'mfa']);
    expect((await client.get('/auth/mfa')).body.recoveryCodesLeft).toBe(9);

    const again = { challenge: await challenged(app, email), recoveryCode: first };
    expectProblem(await verify(app.client(), again), 400, 'code_not_valid');
    const typed = { ...again, recoveryCode: second.toUpperCase().replace('-', ' ') };
    expect((await verify(app.client(), typed)).status).toBe(200);
    stopListening();
    expect(used).toEqual([
      { user: sub(), left: 9 },
      { user: sub(), left: 8 },
    ]);
  });

  test('is not possible by recovery code when all are used, and the challenge does not list that method', async () => {
    for (const recoveryCode of enrolment.recoveryCodes) {
      const challenge = await challenged(app, email);
      expect((await verify(app.client(), { challenge, recoveryCode })).status).toBe(200);
    }
    const { body } = await app.client().login(email);
    expect(body.methods).toEqual(['totp']);
    const answer = await verify(app.client(), { challenge: body.challenge, recoveryCode: '00000-00000' });
    expectProblem(answer, 401, 'challenge_not_valid');
  });

  test('twice at the same moment opens one session', async () => {
    const challenge = await challenged(app, email);
    const before = await sessionCount();
    const code = enrolment.next();
    const both = await Promise.all([1, 2].map(() => verify(app.client(), { challenge, code })));
    expect(both.map(({ status }) => status).sort()).toEqual([200, 401]);
    expect(await sessionCount()).toBe(before + 1);
  });

  test('with one code for two challenges opens one session', async () => {
    const challenges = [await challenged(app, email), await challenged(app, email)];
    const code = enrolment.next();
    const both = await Promise.all(challenges.map((challenge) => verify(app.client(), { challenge, code })));
    expect(both.map(({ status }) => status).sort()).toEqual([200, 400]);
  });
});

describe('a wrong answer', () => {
  test('is refused without a token, a cookie or a session, and emits an event', async () => {
    const challenge = await challenged(app, email);
    const before = await sessionCount();
    for (const code of ['000000', 'abcdef', '', enrolment.recoveryCodes[0] ?? ''])
      expectProblem(await verify(app.client(), { challenge, code }), 400, 'code_not_valid');
    const recoveryCode = await verify(app.client(), { challenge, recoveryCode: enrolment.next() });
    expectProblem(recoveryCode, 400, 'code_not_valid');
    expect(await sessionCount()).toBe(before);
    const event = { user: sub(), ip: '127.0.0.1' };
    expect(failures).toEqual([...Array(4).fill({ ...event, method: 'totp' }), { ...event, method: 'recovery_code' }]);
  });

  test('is a code that was used, and every older one', async () => {
    app.clock.advance(300);
    const step = (offset: number) => totpCode(enrolment.secret, app.clock.now() + offset * 30_000);
    const [older, used] = [step(-1), step(0)];
    expect((await verify(app.client(), { challenge: await challenged(app, email), code: used })).status).toBe(200);
    const challenge = await challenged(app, email);
    expectProblem(await verify(app.client(), { challenge, code: used }), 400, 'code_not_valid');
    expectProblem(await verify(app.client(), { challenge, code: older }), 400, 'code_not_valid');
    expect((await verify(app.client(), { challenge, code: step(1) })).status).toBe(200);
  });

  test('is a code of another user', async () => {
    const other = await enrol(app, await app.signedUp(`other${count}@example.com`));
    const challenge = await challenged(app, email);
    expectProblem(await verify(app.client(), { challenge, code: other.next() }), 400, 'code_not_valid');
    const [recoveryCode = ''] = other.recoveryCodes;
    expectProblem(await verify(app.client(), { challenge, recoveryCode }), 400, 'code_not_valid');
  });

  test('is counted for its challenge: after five, a right answer is refused and not used up', async () => {
    const challenge = await challenged(app, email);
    for (let i = 0; i < 5; i++)
      expectProblem(await verify(app.client(), { challenge, code: '000000' }), 400, 'code_not_valid');
    const code = enrolment.next();
    expectProblem(await verify(app.client(), { challenge, code }), 401, 'challenge_not_valid');
    expect((await verify(app.client(), { challenge: await challenged(app, email), code })).status).toBe(200);
  });

  test('is counted for its user over challenges and methods: after ten, a right answer is not checked', async () => {
    const wrong = [{ code: '000000' }, { recoveryCode: '00000-00000' }];
    for (let i = 0; i < 10; i++) {
      const challenge = await challenged(app, email);
      expectProblem(await verify(app.client(), { challenge, ...wrong[i % 2] }), 400, 'code_not_valid');
    }
    const challenge = await challenged(app, email); // the password still works, but a new challenge does not help
    const [recoveryCode = ''] = enrolment.recoveryCodes;
    const code = totpCode(enrolment.secret, app.clock.now() + 30_000);
    for (const answer of [{ code }, { recoveryCode }]) {
      const refused = await verify(app.client(), { challenge, ...answer });
      expectProblem(refused, 429, 'too_many_requests');
      expect(Number(refused.headers.get('retry-after'))).toBe(900);
    }
    expect(failures).toHaveLength(10);
    app.clock.advance(900);
    const later = { challenge: await challenged(app, email), recoveryCode };
    expect((await verify(app.client(), later)).status).toBe(200); // it was not used up
  });

  test('of one user does not count for another', async () => {
    const challenge = await challenged(app, email);
    for (let i = 0; i < 5; i++) await verify(app.client(), { challenge, code: '000000' });
    const next = await challenged(app, email);
    for (let i = 0; i < 5; i++) await verify(app.client(), { challenge: next, code: '000000' });
    const address = `neighbour${count}@example.com`;
    const other = await enrol(app, await app.signedUp(address));
    const answer = { challenge: await challenged(app, address), code: other.next() };
    expect((await verify(app.client(), answer)).status).toBe(200);
  });
});

describe('a request', () => {
  test('must have a challenge and exactly one answer, in JSON', async () => {
    const challenge = await challenged(app, email);
    const send = (body: unknown, type = 'application/json') =>
      app.client().send('POST', '/auth/mfa/verify', body, { 'content-type': type });
    for (const body of [
      {},
      { challenge },
      { challenge, code: '1', recoveryCode: '2' },
      { code: '1' },
      [],
      { challenge, code: 1 },
    ])
      expectProblem(await send(body), 400, 'validation_failed');
    expectProblem(await send('{'), 400, 'malformed_json');
    const form = await send(`challenge=${challenge}&code=1`, 'application/x-www-form-urlencoded');
    expectProblem(form, 415, 'unsupported_media_type');
    expect(failures).toEqual([]); // nothing was counted
  });

  test('with an unknown challenge is refused', async () => {
    for (const challenge of ['', 'x', 'x'.repeat(43), 'x'.repeat(5000), "' or true --"])
      expectProblem(await verify(app.client(), { challenge, code: '000000' }), 401, 'challenge_not_valid');
    expect(failures).toEqual([]);
  });

  test('from a foreign origin is refused, and uses nothing up', async () => {
    const challenge = await challenged(app, email);
    const code = enrolment.next();
    const foreign = { origin: 'https://evil.example' };
    expectProblem(await verify(app.client(), { challenge, code }, foreign), 403, 'csrf_failed');
    const confirm = await app.client().send('POST', '/auth/mfa/totp/confirm', { challenge, code }, foreign);
    expectProblem(confirm, 403, 'csrf_failed');
    expect((await verify(app.client(), { challenge, code })).status).toBe(200);
  });

  test('supersedes the session of the browser that sends it', async () => {
    const client = app.client();
    await verify(client, { challenge: await challenged(app, email), code: enrolment.next() });
    const { session } = claimsOf(client.access);
    const answer = { challenge: await challenged(app, email), code: enrolment.next() };
    const headers = client.cookieHeader;
    expect((await verify(app.client(), answer, headers)).status).toBe(200);
    const { rows } = await app.database.pool.query('select enabled from auth_session where id = $1', [session]);
    expect(rows).toEqual([{ enabled: false }]);
  });
});

describe('a challenge is void', () => {
  const right = () => ({ code: enrolment.next() });
  const expectVoid = async (challenge: string, answer = right()) =>
    expectProblem(await verify(app.client(), { challenge, ...answer }), 401, 'challenge_not_valid');

  test('after five minutes', async () => {
    const challenge = await challenged(app, email);
    app.clock.advance(300);
    await expectVoid(challenge);
  });

  test('after a password change', async () => {
    await owner.refresh();
    const challenge = await challenged(app, email);
    await app.database.pool.query(`update app_user set password_hash = password_hash || 'x' where id = $1`, [sub()]);
    await expectVoid(challenge);
  });

  test('after a change of the address', async () => {
    const challenge = await challenged(app, email);
    await app.database.pool.query('update app_user set email = $2 where id = $1', [sub(), `new-${email}`]);
    await expectVoid(challenge);
  });

  test('after a deactivation, also when the user is active again', async () => {
    const challenge = await challenged(app, email);
    const code = enrolment.next();
    await app.auth.deactivation.deactivate(sub());
    await expectVoid(challenge, { code });
    await app.database.pool.query('update app_user set is_active = true where id = $1', [sub()]);
    await expectVoid(challenge, { code });
    expect((await verify(app.client(), { challenge: await challenged(app, email), code })).status).toBe(200);
  });

  test('after a change of the second factors', async () => {
    const challenge = await challenged(app, email);
    const code = enrolment.next();
    expect(await app.auth.mfa.reset(sub())).toBe(true);
    await expectVoid(challenge, { code });
    await owner.login(email);
    enrolment = await enrol(app, owner);
    await expectVoid(challenge);
  });

  test('after its user was deleted', async () => {
    const challenge = await challenged(app, email);
    await app.database.pool.query('delete from app_user where id = $1', [sub()]);
    await expectVoid(challenge);
    expect((await app.client().login(email, PASSWORD)).body.code).toBe('incorrect_credentials');
  });
});

test('in body mode the tokens are in the body, and no origin is refused', async () => {
  const other = await createTotpApp({ refreshTokenAsCookie: false });
  const client = await other.signedUp('body@example.com');
  const { next } = await enrol(other, client);
  const challenge = await challenged(other, 'body@example.com');
  const headers = { origin: 'https://evil.example' };
  const answer = await verify(client, { challenge, code: next() }, headers);
  expect([answer.status, answer.body]).toEqual([200, { access: expect.any(String), refresh: expect.any(String) }]);
  expect(answer.headers.getSetCookie()).toEqual([]);
  expect((await client.refresh()).status).toBe(200);
  await other.close();
});

test('the routes are below the prefix of the app', async () => {
  const other = await createTotpApp({}, { auth: { prefix: '/api/accounts' } });
  const answer = await other.client().send('POST', '/api/accounts/mfa/verify', { challenge: 'x', code: '1' });
  expectProblem(answer, 401, 'challenge_not_valid');
  expect((await other.client().get('/api/accounts/mfa')).body.code).toBe('not_authenticated');
  await other.close();
});
