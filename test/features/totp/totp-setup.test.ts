import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { totpCode } from '../../../src/features/totp/totp-testing.js';
import { expectProblem } from '../../support/expect-problem.js';
import { claimsOf } from '../../support/race.js';
import type { TestApp } from '../../support/test-app.js';
import { waitForBlocked } from '../../support/test-database.js';
import { challenged, createTotpApp, enrol, nextCode, verify } from '../../support/totp-app.js';

let app: TestApp;
beforeAll(async () => {
  app = await createTotpApp({ publicUrl: 'https://accounts.example.com:8443/app' });
});
afterAll(() => app.close());

let count = 0;
const email = () => `setup${++count}@example.com`;
const live = async (client: { access: string }) => {
  const sql = 'select count(*)::int as live from auth_session where enabled and user_id = $1';
  return (await app.database.pool.query(sql, [claimsOf(client.access).sub])).rows[0].live;
};

describe('GET /mfa', () => {
  test('shows whether a user has a factor, and refuses an anonymous request', async () => {
    const client = await app.signedUp(email());
    const none = { mode: 'optional', totp: false, recoveryCodesLeft: 0, passkeys: 0 };
    const answer = await client.get('/auth/mfa');
    expect([answer.status, answer.body]).toEqual([200, none]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    await client.send('POST', '/auth/mfa/totp/setup', undefined, client.bearer);
    expect((await client.get('/auth/mfa')).body).toEqual(none); // not confirmed yet
    await enrol(app, client);
    expect((await client.get('/auth/mfa')).body).toEqual({ ...none, totp: true, recoveryCodesLeft: 10 });
    expectProblem(await app.client().get('/auth/mfa'), 401, 'not_authenticated');
  });
});

describe('a set-up', () => {
  test('answers a secret, a URI and an image of it, and a new one each time', async () => {
    const address = email();
    const client = await app.signedUp(address);
    const answer = await client.send('POST', '/auth/mfa/totp/setup', undefined, client.bearer);
    const { secret, uri, qr } = answer.body;
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(Object.keys(answer.body)).toEqual(['secret', 'uri', 'qr']);
    expect(secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(uri).toBe(
      `otpauth://totp/accounts.example.com:${encodeURIComponent(address)}?issuer=accounts.example.com&` +
        `secret=${secret}&algorithm=SHA1&digits=6&period=30`,
    );
    expect(qr).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg".*<\/svg>$/s);
    expect(qr).not.toMatch(/<script|href|on\w+=/);

    const again = await client.send('POST', '/auth/mfa/totp/setup', {}, client.bearer);
    expect(again.body.secret).not.toBe(secret);
    const confirm = (code: string) => client.send('POST', '/auth/mfa/totp/confirm', { code }, client.bearer);
    expectProblem(await confirm(totpCode(secret, app.clock.now())), 400, 'code_not_valid');
    expect((await confirm(totpCode(again.body.secret, app.clock.now()))).status).toBe(200);
  });

  test('needs an access token of a live session', async () => {
    const client = await app.signedUp(email());
    expectProblem(await app.client().send('POST', '/auth/mfa/totp/setup', {}), 401, 'not_authenticated');
    const forged = { authorization: 'Bearer a.b.c' };
    expectProblem(await client.send('POST', '/auth/mfa/totp/setup', {}, forged), 401, 'token_not_valid');
    await client.logout();
    expectProblem(await client.send('POST', '/auth/mfa/totp/setup', {}, client.bearer), 401, 'token_not_valid');
    const code = { code: '123456' };
    expectProblem(await client.send('POST', '/auth/mfa/totp/confirm', code, client.bearer), 401, 'token_not_valid');
    expectProblem(await client.send('POST', '/auth/mfa/totp/confirm', code), 401, 'not_authenticated');
  });

  test('reads only JSON with known fields', async () => {
    const client = await app.signedUp(email());
    const send = (path: string, body: unknown, type = 'application/json') =>
      client.send('POST', `/auth/mfa/totp/${path}`, body, { ...client.bearer, 'content-type': type });
    for (const path of ['setup', 'confirm']) {
      expectProblem(
        await send(path, 'code=123456', 'application/x-www-form-urlencoded'),
        415,
        'unsupported_media_type',
      );
      expectProblem(await send(path, '{'), 400, 'malformed_json');
      const wrong = await send(path, { challenge: 1, code: 2, revokeOthers: 'no', other: '' });
      expectProblem(wrong, 400, 'validation_failed');
      const fields = wrong.body.errors.map(({ field }: { field: string }) => field).sort();
      expect(fields).toEqual(['challenge', 'code', 'other', 'revokeOthers']);
    }
    expectProblem(await send('confirm', {}), 400, 'validation_failed');
  });

  test('is refused for a user who has an authenticator app', async () => {
    const client = await app.signedUp(email());
    const { secret } = await enrol(app, client);
    await client.refresh();
    const again = await client.send('POST', '/auth/mfa/totp/setup', {}, client.bearer);
    expectProblem(again, 409, 'totp_already_enabled');
    const code = nextCode(app, secret);
    const confirm = await client.send('POST', '/auth/mfa/totp/confirm', { code }, client.bearer);
    expectProblem(confirm, 409, 'totp_already_enabled');
  });
});

describe('a confirmation', () => {
  test('answers ten recovery codes, and the session has the second factor from its next refresh on', async () => {
    const client = await app.signedUp(email());
    const before = claimsOf(client.access);
    expect(before.amr).toEqual(['pwd']);
    app.clock.advance(20);
    const { answer } = await enrol(app, client);
    expect(Object.keys(answer.body)).toEqual(['recoveryCodes']);
    expect(answer.body.recoveryCodes).toHaveLength(10);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.cookie).toBeUndefined();
    await client.refresh();
    expect(claimsOf(client.access)).toMatchObject({ session: before.session, amr: ['pwd', 'otp', 'mfa'] });
    expect(claimsOf(client.access).auth_time).toBe(before.auth_time + 20);
  });

  test('ends the other sessions of the user, unless it is asked not to', async () => {
    for (const [revokeOthers, left] of [
      [undefined, 1],
      [true, 1],
      [false, 2],
    ] as const) {
      const address = email();
      const client = await app.signedUp(address);
      const other = app.client();
      await other.login(address);
      const reasons: string[] = [];
      const stop = app.auth.events.on('session.revoked', ({ reason }) => reasons.push(reason));
      await enrol(app, client, revokeOthers === undefined ? {} : { revokeOthers });
      stop();
      expect([await live(client), reasons]).toEqual([left, left === 1 ? ['factor-change'] : []]);
      expect((await other.refresh()).status).toBe(left === 1 ? 401 : 200);
      expect((await client.refresh()).status).toBe(200);
    }
  });

  test('is refused an hour after the set-up', async () => {
    const client = await app.signedUp(email());
    const { body } = await client.send('POST', '/auth/mfa/totp/setup', {}, client.bearer);
    app.clock.advance(3600);
    await client.login(`setup${count}@example.com`); // the session is not fresh any more
    const code = totpCode(body.secret, app.clock.now());
    const late = await client.send('POST', '/auth/mfa/totp/confirm', { code }, client.bearer);
    expectProblem(late, 400, 'code_not_valid');
    expect(await app.auth.purge.run({ dryRun: true })).toMatchObject({ totpSetups: 1 });
    await enrol(app, client);
    expect(await app.auth.purge.run({ pause: async () => {} })).toMatchObject({ totpSetups: 0 });
    app.clock.advance(366 * 86_400);
    expect(await app.auth.purge.run({ dryRun: true })).toMatchObject({ totpSetups: 0 }); // a confirmed one stays
    app.clock.advance(-366 * 86_400);
  });

  test('makes the next sign-in ask for the factor, and the code of the confirmation does not work again', async () => {
    const address = email();
    const client = await app.signedUp(address);
    const { secret, next } = await enrol(app, client);
    const { status, body, cookie } = await app.client().login(address);
    expect([status, cookie]).toEqual([401, undefined]);
    expect(body).toEqual({
      type: 'about:blank',
      title: 'Unauthorized',
      status: 401,
      code: 'second_factor_required',
      detail: expect.any(String),
      challenge: expect.stringMatching(/^[\w-]{43}$/),
      methods: ['totp', 'recovery_code'],
      expires_in: 300,
    });
    const used = totpCode(secret, app.clock.now());
    expectProblem(await verify(app.client(), { challenge: body.challenge, code: used }), 400, 'code_not_valid');
    expect((await verify(app.client(), { challenge: body.challenge, code: next() })).status).toBe(200);
  });

  test('voids pending mailed links', async () => {
    const address = email();
    const client = await app.signedUp(address);
    const sql = `insert into auth_one_time_key (hash, purpose, user_id, email, expires_at)
      values ($1, 'email-change', $2, 'thief@example.com', now() + interval '1 day')`;
    const { sub } = claimsOf(client.access);
    await app.database.pool.query(sql, ['k'.repeat(43), sub]);
    await enrol(app, client, { revokeOthers: false });
    const keys = await app.database.pool.query('select purpose from auth_one_time_key where user_id = $1', [sub]);
    expect(keys.rows).toEqual([]);
  });

  test('counts wrong codes, and refuses a right one when there were too many', async () => {
    const client = await app.signedUp(email());
    const { body } = await client.send('POST', '/auth/mfa/totp/setup', {}, client.bearer);
    const confirm = (code: string) => client.send('POST', '/auth/mfa/totp/confirm', { code }, client.bearer);
    const failed: unknown[] = [];
    const stop = app.auth.events.on('mfa.failed', ({ at: _, ...event }) => failed.push(event));
    for (let i = 0; i < 10; i++) expectProblem(await confirm('000 00'), 400, 'code_not_valid');
    const right = totpCode(body.secret, app.clock.now());
    const refused = await confirm(right);
    expectProblem(refused, 429, 'too_many_requests');
    expect(Number(refused.headers.get('retry-after'))).toBe(900);
    stop();
    const { sub: user } = claimsOf(client.access);
    expect(failed).toEqual(Array(10).fill({ user, method: 'totp_setup', ip: '127.0.0.1' }));
  });

  test('succeeds for one of two requests at the same moment', async () => {
    const client = await app.signedUp(email());
    const { body } = await client.send('POST', '/auth/mfa/totp/setup', {}, client.bearer);
    const code = totpCode(body.secret, app.clock.now());
    const both = await Promise.all(
      [1, 2].map(() => client.send('POST', '/auth/mfa/totp/confirm', { code }, client.bearer)),
    );
    expect(both.map(({ body: { code: refusal } }) => refusal).sort()).toEqual(['second_factor_required', undefined]);
  });

  test('does not confirm a secret that another request has set up meanwhile', async () => {
    const client = await app.signedUp(email());
    const { body } = await client.send('POST', '/auth/mfa/totp/setup', {}, client.bearer);
    const code = totpCode(body.secret, app.clock.now());
    // The second request replaces the secret after the first has read it, and waits for the row until then.
    const { sub } = claimsOf(client.access);
    const holder = await app.database.pool.connect();
    await holder.query('begin');
    await holder.query(`update auth_totp set secret = secret || 'x' where user_id = $1`, [sub]);
    const confirming = client.send('POST', '/auth/mfa/totp/confirm', { code }, client.bearer);
    await waitForBlocked(app.database.pool, 1);
    await holder.query('commit');
    holder.release();
    expectProblem(await confirming, 400, 'code_not_valid');
    expect((await client.get('/auth/mfa')).body.totp).toBe(false);
  });
});

test('a challenge of a user with an authenticator app cannot set up another one', async () => {
  const address = email();
  await enrol(app, await app.signedUp(address));
  const challenge = await challenged(app, address);
  const setup = await app.client().send('POST', '/auth/mfa/totp/setup', { challenge });
  expectProblem(setup, 409, 'totp_already_enabled');
  const confirm = await app.client().send('POST', '/auth/mfa/totp/confirm', { challenge, code: '123456' });
  expectProblem(confirm, 401, 'challenge_not_valid');
  const wrong = { challenge: 'x'.repeat(43) };
  expectProblem(await app.client().send('POST', '/auth/mfa/totp/setup', wrong), 401, 'challenge_not_valid');
});
