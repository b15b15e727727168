import { Authorized, Get, JsonController } from 'routing-controllers';
import { Service } from 'typedi';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Fresh, RefreshToken, SecondFactor } from '../../../src/index.js';
import { documentOf, operationsOf } from '../../support/documented-app.js';
import { openToken } from '../../support/forge.js';
import { createMailApp, type MailApp } from '../../support/mail-app.js';
import { expectProblemDetails, fieldsOf } from '../../support/problem-details.js';
import { race, sessionOf } from '../../support/race.js';
import { CODE, checkedCodes, kernel, STEP_UP_ENTITIES } from '../../support/step-up.module.js';
import type { TestApp } from '../../support/test-app.js';
import { PASSWORD, type TestClient } from '../../support/test-client.js';

@Service()
@JsonController('/guarded')
class GuardedController {
  @Authorized(Fresh('10m'))
  @Get('/fresh')
  fresh() {
    return { ran: 'fresh' };
  }

  @Authorized(SecondFactor)
  @Get('/factor')
  factor() {
    return { ran: 'factor' };
  }
}

const start = (settings = {}) =>
  createMailApp(
    { loginRateLimit: '3/15m/account', sessionLifetime: '1d', ...settings },
    { orm: { entities: STEP_UP_ENTITIES }, controllers: [GuardedController] },
  );

let app: MailApp;
beforeAll(async () => {
  app = await start();
});
beforeEach(() => {
  checkedCodes.splice(0);
});
afterAll(() => app.close());

const now = (of: TestApp = app) => Math.floor(of.clock.now() / 1000);
const reauthenticate = (client: TestClient, body: unknown) =>
  client.send('POST', '/auth/reauthenticate', body, client.bearer);
const idOf = (client: TestClient) => String(openToken(client.access).claims.sub);
const rowOf = async (client: TestClient, of: TestApp = app) =>
  (
    await of.database.pool.query(
      'select jti, amr, extract(epoch from auth_time)::int as auth_time, enabled from auth_session where id = $1',
      [sessionOf(client)],
    )
  ).rows[0];

/** Gives the user of a client the test's second factor. */
const addFactor = (client: TestClient, has = true) =>
  kernel.database.transaction((em) => kernel.accounts.setSecondFactor(idOf(client), 'totp', has, em));

/** A client whose proof is older than REAUTHENTICATION_MAX_AGE. */
async function stale(of: TestApp = app): Promise<TestClient> {
  const client = await of.signedUp();
  of.clock.advance(601);
  return client;
}

/** The events of one name while `work` runs. */
async function eventsOf(name: string, work: () => Promise<unknown>): Promise<object[]> {
  const events: object[] = [];
  const stop = app.auth.events.onAny((each, { at, ...event }) => {
    if (each === name) events.push(event);
  });
  await work();
  stop();
  return events;
}

describe('POST /reauthenticate with the password', () => {
  test('makes the same session fresh, and returns only a new access token', async () => {
    const client = await stale();
    const before = { ...openToken(client.access).claims };
    expectProblemDetails(await client.get('/guarded/fresh'), 401, 'reauthentication_required');
    expectProblemDetails(await client.get('/auth/fresh'), 401, 'reauthentication_required');
    let answer = await client.get('/auth/fresh');
    const events = await eventsOf('session.reauthenticated', async () => {
      answer = await reauthenticate(client, { password: PASSWORD });
    });
    expect([answer.status, Object.keys(answer.body)]).toEqual([200, ['access']]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.getSetCookie()).toEqual([]);
    const after = openToken(answer.body.access).claims;
    const renewed = { auth_time: now(), iat: now(), exp: now() + 1800, jti: expect.any(String) };
    expect(after).toEqual({ ...before, ...renewed, amr: ['pwd'] });
    expect(after.jti).not.toBe(before.jti);
    expect(events).toEqual([{ session: before.session, user: before.sub, amr: ['pwd'] }]);

    const old = client.copy();
    client.access = answer.body.access;
    expect((await client.get('/guarded/fresh')).body).toEqual({ ran: 'fresh' });
    expect((await client.get('/auth/fresh')).body).toEqual({ ran: 'fresh' });
    expectProblemDetails(await old.get('/auth/fresh'), 401, 'reauthentication_required'); // the row does not count
    app.clock.advance(60);
    expect((await client.refresh()).status).toBe(200); // the refresh token from before
    expect(openToken(client.access).claims).toMatchObject({ auth_time: after.auth_time, session: before.session });
    expect(openToken(client.refreshToken).claims).toMatchObject({ auth_time: after.auth_time, amr: ['pwd'] });
    app.clock.advance(541);
    expectProblemDetails(await client.get('/auth/fresh'), 401, 'reauthentication_required');
  });

  test('refuses a wrong password, counts it for the session, and reports it', async () => {
    const [client, other] = [await stale(), await app.signedUp()];
    const row = await rowOf(client);
    const failures = await eventsOf('login.failed', async () => {
      for (let guess = 0; guess < 3; guess++) {
        expectProblemDetails(await reauthenticate(client, { password: 'wrong' }), 401, 'incorrect_credentials');
      }
      const refused = await reauthenticate(client, { password: PASSWORD });
      expectProblemDetails(refused, 429, 'too_many_requests');
    });
    const failure = { user: idOf(client), ip: expect.any(String) };
    expect(failures).toEqual([
      ...Array.from({ length: 3 }, () => ({ ...failure, code: 'incorrect_credentials' })),
      { ...failure, code: 'too_many_requests' },
    ]);
    expect(await rowOf(client)).toEqual(row);
    expect((await reauthenticate(other, { password: PASSWORD })).status).toBe(200);
  });

  test('refuses the access token of an ended session, and counts no guess', async () => {
    const client = await app.signedUp();
    await client.copy().logout();
    for (let guess = 0; guess < 5; guess++) {
      expectProblemDetails(await reauthenticate(client, { password: 'wrong' }), 401, 'token_not_valid');
    }
    expectProblemDetails(await client.get('/auth/fresh'), 401, 'token_not_valid');
  });

  test('refuses the token of a user who was deactivated by the app itself', async () => {
    const client = await app.signedUp();
    await app.database.pool.query('update app_user set is_active = false where id = $1', [idOf(client)]);
    expectProblemDetails(await reauthenticate(client, { password: PASSWORD }), 401, 'token_not_valid');
    expectProblemDetails(await client.get('/auth/fresh'), 401, 'token_not_valid');
  });

  test('keeps the claims of the session, and does not exceed SESSION_LIFETIME', async () => {
    const { id } = await app.auth.authenticate((await app.signedUp('bound@example.com')).access);
    const tokens = await app.auth.sessions.open({ id }, { claims: { device: 'tv' }, amr: ['ticket'] });
    const client = Object.assign(app.client(), { access: tokens.access, refreshToken: tokens.refresh });
    const { session_iat } = openToken(client.access).claims;
    app.clock.advance(86_400 - 1700);
    await client.refresh();
    const { body } = await reauthenticate(client, { password: PASSWORD });
    expect(openToken(body.access).claims).toMatchObject({
      ...{ device: 'tv', amr: ['ticket', 'pwd'], permissions: [] },
      ...{ session_iat, exp: session_iat + 86_400 },
    });
  });

  test('needs an access token of the library', async () => {
    expectProblemDetails(await reauthenticate(app.client(), { password: PASSWORD }), 401, 'not_authenticated');
  });

  test('joins methods as a set, in the order in which they came', async () => {
    const client = await app.signedUp();
    for (const proof of [{ code: CODE }, { password: PASSWORD }, { credential: { id: CODE } }, { code: CODE }]) {
      expect((await reauthenticate(client, proof)).status).toBe(200);
    }
    expect((await rowOf(client)).amr).toEqual(['pwd', 'otp', 'mfa', 'hwk', 'user']);
  });
});

test('a password with an older access token gets no methods that the session has proved since then', async () => {
  const client = await app.signedUp();
  const thief = client.copy();
  expect((await reauthenticate(client, { code: CODE })).status).toBe(200);
  expect((await rowOf(client)).amr).toEqual(['pwd', 'otp', 'mfa']);
  const { status, body } = await reauthenticate(thief, { password: PASSWORD });
  expect([status, openToken(body.access).claims.amr]).toEqual([200, ['pwd']]);
  expect((await rowOf(client)).amr).toEqual(['pwd', 'otp', 'mfa']);
});

describe('the body of POST /reauthenticate', () => {
  const members = 'password, mailCode, code, credential';

  test.each<[what: string, body: unknown, field: string, message: string]>([
    ['no proof', {}, '', `must have exactly one of ${members}`],
    ['no body', undefined, '', `must have exactly one of ${members}`],
    ['two proofs', { password: PASSWORD, code: CODE }, '', `must have exactly one of ${members}`],
    ['a proof and an unknown field', { password: PASSWORD, x: 1 }, '', `must have exactly one of ${members}`],
    ['an unknown field', { [`x${'y'.repeat(99)}`]: PASSWORD }, `x${'y'.repeat(63)}`, 'is not a known field'],
    ['the name of a property of objects', '{"__proto__":"x"}', '__proto__', 'is not a known field'],
    ['a number', { password: 12_345_678 }, 'password', 'must be a string'],
    ['null', { code: null }, 'code', 'must be a string'],
    ['an object', { mailCode: { a: 1 } }, 'mailCode', 'must be a string'],
    ['a text for a credential', { credential: CODE }, 'credential', 'is not valid'],
    ['null for a credential', { credential: null }, 'credential', 'is not valid'],
  ])('with %s is refused', async (_, body, field, message) => {
    const answer = await reauthenticate(await app.signedUp(), body);
    expectProblemDetails(answer, 400, 'validation_failed');
    expect(answer.body.errors).toEqual([{ field, messages: [message] }]);
    expect(checkedCodes).toEqual([]);
  });

  test('must be an object', async () => {
    const client = await app.signedUp();
    const headers = { ...client.bearer, 'content-type': 'application/json' };
    for (const body of ['[]', '[{"password":"x"}]']) {
      const answer = await client.send('POST', '/auth/reauthenticate', body, headers);
      expectProblemDetails(answer, 400, 'validation_failed');
      expect(fieldsOf(answer)).toEqual(['']);
    }
  });

  test('is in the OpenAPI document, with the members of modules', () => {
    const described = documentOf(app);
    expect(described.components.schemas['AuthReauthentication']).toEqual({
      type: 'object',
      properties: {
        password: { type: 'string', format: 'password' },
        mailCode: { type: 'string' },
        code: { type: 'string' },
        credential: { type: 'object' },
      },
      ...{ minProperties: 1, maxProperties: 1, additionalProperties: false },
    });
    const fresh = operationsOf(described).find(({ path }) => path === '/auth/fresh');
    const codes = JSON.stringify(fresh?.operation.responses['401']);
    expect(codes).toContain('"reauthentication_required","second_factor_required"');
  });
});

describe('a user with a second factor', () => {
  test('becomes fresh only with the second factor: other proofs are not checked', async () => {
    const client = await app.signedUp();
    await addFactor(client);
    expect((await client.get('/guarded/fresh')).status).toBe(200); // the claims of the token are new enough
    const asked = await client.get('/auth/fresh');
    expectProblemDetails(asked, 401, 'second_factor_required');
    for (let guess = 0; guess < 5; guess++) {
      for (const proof of [{ password: 'wrong' }, { password: PASSWORD }, { mailCode: 'ABCD-EFGH' }]) {
        const answer = await reauthenticate(client, proof);
        expectProblemDetails(answer, 401, 'second_factor_required');
        expect(answer.headers.get('www-authenticate')).toBe(
          'Bearer error="insufficient_user_authentication", acr_values="mfa", ' +
            'error_description="This needs a second factor; authenticate again with it."',
        );
      }
    }
    expect((await rowOf(client)).amr).toEqual(['pwd']);
    const { status, body } = await reauthenticate(client, { code: CODE });
    expect(status).toBe(200);
    client.access = body.access;
    expect((await client.get('/auth/fresh')).body).toEqual({ ran: 'fresh' });
    expect((await client.get('/guarded/factor')).body).toEqual({ ran: 'factor' });
    await client.refresh();
    expect(openToken(client.access).claims).toMatchObject({ amr: ['pwd', 'otp', 'mfa'], auth_time: now() });
    app.clock.advance(601);
    expectProblemDetails(await client.get('/auth/fresh'), 401, 'reauthentication_required');
    expectProblemDetails(await reauthenticate(client, { password: PASSWORD }), 401, 'second_factor_required');
  });

  test('gets incorrect_credentials for a wrong code', async () => {
    const client = await app.signedUp();
    await addFactor(client);
    expectProblemDetails(await reauthenticate(client, { code: '000000' }), 401, 'incorrect_credentials');
    expect((await rowOf(client)).amr).toEqual(['pwd']);
  });
});

describe('a proof in parallel with', () => {
  /** Lets a proof wait after its check, while `meanwhile` runs. */
  async function during(client: TestClient, meanwhile: () => Promise<unknown>) {
    const { rows } = await app.database.pool.query('select now()');
    expect(rows).toHaveLength(1);
    const method = kernel.reAuthentications.byMember('code') as { check(...given: unknown[]): Promise<unknown> };
    const { check } = method;
    method.check = async (...given) => {
      const user = await check(...given);
      await meanwhile();
      return user;
    };
    try {
      return await reauthenticate(client, { code: CODE });
    } finally {
      method.check = check;
    }
  }

  test('a new second factor, a removed one, or a changed password changes nothing', async () => {
    const changes: ((client: TestClient) => Promise<unknown>)[] = [
      (client) => addFactor(client),
      (client) => addFactor(client, false),
      (client) => kernel.database.transaction((em) => kernel.accounts.recordCredentialChange(idOf(client), em)),
    ];
    for (const change of changes) {
      const client = await stale();
      const row = await rowOf(client);
      expectProblemDetails(await during(client, () => change(client)), 401, 'incorrect_credentials');
      expect(await rowOf(client)).toEqual(row);
    }
  });

  test('the end of the session or of the account gets token_not_valid', async () => {
    const endings: ((client: TestClient) => Promise<unknown>)[] = [
      (client) => client.copy().logout(),
      (client) => app.auth.deactivation.deactivate(idOf(client)),
      (client) => app.database.pool.query('update app_user set is_active = false where id = $1', [idOf(client)]),
      (client) => app.database.pool.query('delete from app_user where id = $1', [idOf(client)]),
    ];
    for (const end of endings) {
      const client = await stale();
      const { amr } = await rowOf(client);
      expectProblemDetails(await during(client, () => end(client)), 401, 'token_not_valid');
      const row = await rowOf(client);
      if (row) expect(row.amr).toEqual(amr);
    }
  });

  test('a first credential change, which creates the account row, changes nothing', async () => {
    const client = await stale();
    await app.database.pool.query('delete from auth_account where user_id = $1', [idOf(client)]);
    expectProblemDetails(await during(client, () => addFactor(client)), 401, 'incorrect_credentials');
  });
});

describe.each([
  ["the library's token class", RefreshToken],
  ["the app's token class", undefined],
])('a rotation at the same time, with %s', (_, refreshToken) => {
  let own: MailApp;
  beforeAll(async () => {
    own = await start(refreshToken ? { refreshToken } : {});
  });
  afterAll(() => own.close());

  /** Asserts that rotation and proof have both happened, and that the next tokens have what was proved. */
  async function expectBoth(client: TestClient, jti: string) {
    const row = await rowOf(client, own);
    expect(row).toMatchObject({ amr: ['pwd', 'otp', 'mfa'], auth_time: now(own), enabled: true });
    expect(row.jti).not.toBe(jti);
    expect((await client.refresh()).status).toBe(200);
    const proved = { amr: ['pwd', 'otp', 'mfa'], auth_time: now(own) };
    expect(openToken(client.access).claims).toMatchObject(proved);
    expect(openToken(client.refreshToken).claims).toMatchObject(proved);
  }

  test('loses nothing if the rotation is first', async () => {
    const client = await stale(own);
    const row = { table: 'auth_session', id: sessionOf(client) };
    const { jti } = await rowOf(client, own);
    const presented = client.copy();
    const [rotated, proved] = await race(
      own,
      row,
      () => client.refresh(),
      () => reauthenticate(presented, { code: CODE }),
    );
    expect([rotated.status, proved.status]).toEqual([200, 200]);
    await expectBoth(client, jti);
  });

  test('loses nothing if the proof is first: the tokens of the rotation include it', async () => {
    const client = await stale(own);
    const row = { table: 'auth_session', id: sessionOf(client) };
    const { jti } = await rowOf(client, own);
    const [proved, rotated] = await race(
      own,
      row,
      () => reauthenticate(client.copy(), { code: CODE }),
      () => client.refresh(),
    );
    expect([rotated.status, proved.status]).toEqual([200, 200]);
    expect(openToken(client.access).claims).toMatchObject({ amr: ['pwd', 'otp', 'mfa'], auth_time: now(own) });
    await expectBoth(client, jti);
  });
});

test('a proof writes no column that an index contains, so that it is a HOT update', async () => {
  const { rows } = await app.database.pool.query(
    `select distinct a.attname from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
     where i.indrelid = 'auth_session'::regclass and a.attname in ('amr', 'auth_time')`,
  );
  expect(rows).toEqual([]);
});
