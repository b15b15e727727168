import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { expectProblem } from '../../support/expect-problem.js';
import { claimsOf } from '../../support/race.js';
import { createTestApp, type TestApp } from '../../support/test-app.js';
import { PASSWORD, type TestClient } from '../../support/test-client.js';
import { waitForBlocked } from '../../support/test-database.js';
import { challenged, createTotpApp, enrol, verify } from '../../support/totp-app.js';

const NEW = 'another sentence of some length';

let app: TestApp;
beforeAll(async () => {
  app = await createTotpApp({ accessTokenLifetime: '1d' });
});
afterAll(() => app.close());

let count = 0;
let email: string;
let owner: TestClient;
beforeEach(async () => {
  email = `attacked${++count}@example.com`;
  owner = await app.signedUp(email);
});

describe('an access token that is older than the proof of the second factor', () => {
  test('gets no session with the factor by a password change, which is answered with a challenge', async () => {
    const thief = owner.copy();
    await enrol(app, owner);
    const answer = await thief.changePassword(PASSWORD, NEW);
    expect([answer.status, answer.cookie]).toEqual([401, undefined]);
    expect(answer.body).toMatchObject({ code: 'second_factor_required', methods: ['totp', 'recovery_code'] });
    expectProblem(await owner.refresh(), 401, 'token_not_valid');
  });

  test('gets no fresh session by a password change either', async () => {
    const enrolment = await enrol(app, owner);
    await verify(owner, { challenge: await challenged(app, email), code: enrolment.next() });
    const [thief, { auth_time: before }] = [owner.copy(), claimsOf(owner.access)];
    app.clock.advance(700);
    await owner.send('POST', '/auth/reauthenticate', { code: enrolment.next() }, owner.bearer);
    const answer = await thief.changePassword(PASSWORD, NEW);
    expect([answer.status, claimsOf(answer.body.access).auth_time]).toEqual([200, before]);
    expectProblem(
      await thief.send('DELETE', '/auth/mfa/totp', undefined, thief.bearer),
      401,
      'reauthentication_required',
    );
  });
});

test('a sign-in at a server whose clock was a day ahead is not fresh, and a new proof makes the session fresh', async () => {
  app.clock.advance(86_400);
  await owner.login(email);
  app.clock.advance(-86_400);
  await owner.refresh();
  const setUp = () => owner.send('POST', '/auth/mfa/totp/setup', {}, owner.bearer);
  expectProblem(await setUp(), 401, 'reauthentication_required');
  const proved = await owner.send('POST', '/auth/reauthenticate', { password: PASSWORD }, owner.bearer);
  expect(claimsOf(proved.body.access).auth_time).toBe(app.clock.now() / 1000);
  owner.access = proved.body.access;
  expect((await setUp()).status).toBe(200);
});

test('a server without the module refuses a user with the factor, and logs the reason', async () => {
  await enrol(app, owner);
  const other = await createTestApp({ database: app.database });
  other.clock.advance((app.clock.now() - other.clock.now()) / 1000);
  try {
    const answer = await other.client().login(email);
    expectProblem(answer, 500, 'internal_error');
    expect(answer.cookie).toBeUndefined();
    expect(JSON.stringify(other.log.splice(0))).toContain('no module of this app can ask for totp');
    const { sub } = claimsOf(owner.access);
    await expect(other.auth.signIn({ id: sub }, { method: 'ticket' })).rejects.toThrow('no module of this app');
    // A session that has no second factor is not fresh there.
    const weak = { password: PASSWORD };
    expectProblem(
      await other.client().send('POST', '/auth/reauthenticate', weak, owner.bearer),
      401,
      'second_factor_required',
    );
  } finally {
    await other.close();
  }
});

test.each(['with an access token', 'with a challenge'])(
  'a set-up %s while the user is deleted is refused',
  async (by) => {
    const strict = await createTotpApp(
      { mfaMode: by.endsWith('challenge') ? 'required' : 'optional' },
      { database: app.database },
    );
    strict.clock.advance((app.clock.now() - strict.clock.now()) / 1000);
    const { sub } = claimsOf(owner.access);
    const hasChallenge = by.endsWith('challenge');
    const body = hasChallenge ? { challenge: await challenged(strict, email) } : {};
    const holder = await app.database.pool.connect();
    try {
      await holder.query('begin');
      await holder.query('delete from app_user where id = $1', [sub]);
      const running = strict.client().send('POST', '/auth/mfa/totp/setup', body, hasChallenge ? {} : owner.bearer);
      await waitForBlocked(app.database.pool, 1);
      await holder.query('commit');
      expectProblem(await running, 401, hasChallenge ? 'challenge_not_valid' : 'token_not_valid');
    } finally {
      holder.release();
      await strict.close();
    }
  },
);
