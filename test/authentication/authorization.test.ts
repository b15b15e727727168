import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  AskedController,
  ClubController,
  DeskController,
  GuardedController,
  REFUSALS,
  RefusingController,
  ran,
} from '../support/guarded.controllers.js';
import { expectProblemDetails } from '../support/problem-details.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import type { TestClient } from '../support/test-client.js';

let app: TestApp;
let client: TestClient;
beforeAll(async () => {
  const controllers = [GuardedController, RefusingController, ClubController, DeskController, AskedController];
  app = await createTestApp({ controllers });
  client = await app.signedUp('user@example.com');
});
beforeEach(() => {
  ran.splice(0);
  app.log.splice(0);
});
afterAll(() => app.close());

/** The client with a new access token that has this role and this email_verified. */
async function as(role: number, isVerified = true): Promise<TestClient> {
  await app.database.pool.query('update app_user set role = $1, email_verified = $2', [role, isVerified]);
  expect((await client.refresh()).status).toBe(200);
  return client;
}

/** Asserts that exactly these roles are let in, and that the action does not run for the others. */
async function expectRoles(request: string, passing: readonly number[], isVerified = true): Promise<void> {
  const [method = '', path = ''] = request.split(' ');
  for (const role of [-1, 0, 1, 300, 699, 700, 701, 899, 900, 901, 999, 1000, 1001]) {
    const { bearer } = await as(role, isVerified);
    ran.splice(0);
    const answer = await client.send(method, path, undefined, bearer);
    const passed = passing.includes(role);
    if (passed) expect(answer.status, `role ${role}`).toBe(200);
    else expectProblemDetails(answer, 403, 'permission_denied');
    expect(ran, `role ${role}`).toHaveLength(passed ? 1 : 0);
  }
}

const EVERYBODY = [-1, 0, 1, 300, 699, 700, 701, 899, 900, 901, 999, 1000, 1001];

describe('@Authorized with roles', () => {
  test.each([
    ['without a role lets everybody in who is signed in', 'GET /guarded/anybody', EVERYBODY],
    ['with an empty list lets everybody in who is signed in', 'GET /guarded/no-rules', EVERYBODY],
    [
      'with a role lets that role, superusers and staff in, and no other number',
      'POST /guarded/publish',
      [700, 900, 1000],
    ],
    ['with USER in a list is not for everybody', 'GET /guarded/users', [0, 900, 1000]],
    ['with several roles lets users with any of them in', 'GET /guarded/any-of-two', [300, 700, 900, 1000]],
    ['with STAFF lets superusers in too', 'GET /guarded/staff', [900, 1000]],
    ['on a controller and on its action joins the roles', 'GET /desk/either', [300, 700, 900, 1000]],
  ])('%s', (_, request, passing) => expectRoles(request, passing));

  test('uses the role in the token until the next refresh, and sends no query', async () => {
    const { bearer } = await as(700);
    await app.database.pool.query('update app_user set role = 0');
    expect((await client.send('POST', '/guarded/publish', undefined, bearer)).status).toBe(200);
    await client.refresh();
    const answer = await client.send('POST', '/guarded/publish', undefined, client.bearer);
    expectProblemDetails(answer, 403, 'permission_denied');
  });
});

describe('@Authorized with predicates', () => {
  test('lets in the users for whom the predicate is true', async () => {
    await as(0);
    for (const path of ['/guarded/verified', '/guarded/later', '/guarded/two-predicates', '/club/hall']) {
      expect((await client.get(path)).status, path).toBe(200);
    }
  });

  test('refuses everybody else, including staff', async () => {
    for (const role of [0, 900, 1000]) {
      await as(role, false);
      for (const path of ['/guarded/verified', '/guarded/two-predicates', '/club/hall', '/club/desk']) {
        expectProblemDetails(await client.get(path), 403, 'permission_denied');
      }
    }
    expect(ran).toEqual([]);
  });

  test('requires every predicate and any of the roles, on one action or on controller and action', async () => {
    await expectRoles('GET /guarded/verified-publisher', [700, 900, 1000]);
    await expectRoles('GET /guarded/verified-publisher', [], false);
    await expectRoles('GET /club/desk', [700, 900, 1000]);
    await expectRoles('GET /club/desk', [], false);
  });

  test.each(REFUSALS)('never accepts %s as true', async (_, path, status) => {
    await as(1000);
    const answer = await client.get(path);
    expect(ran).toEqual([]);
    expectProblemDetails(answer, status, status === 403 ? 'permission_denied' : 'internal_error', ['broken']);
    expect(app.log).toHaveLength(status === 403 ? 0 : 1);
  });
});

test('a predicate can read the path, its parameters, the query, a header and the body of the request', async () => {
  const { access, body } = { access: await as(0), body: { account: 'a' } };
  const bearer = { ...access.bearer, 'x-tenant': 'north' };
  const send = (path: string, headers: Record<string, string>, sent: object = body) =>
    client.send('POST', path, sent, headers);
  expect((await send('/asked/a?dry=true', bearer)).body).toEqual({ ran: 'asked' });
  expectProblemDetails(await send('/asked/b?dry=true', bearer), 403, 'permission_denied');
  expectProblemDetails(await send('/asked/a?dry=false', bearer), 403, 'permission_denied');
  expectProblemDetails(await send('/asked/a?dry=true', access.bearer), 403, 'permission_denied');
  expectProblemDetails(await send('/asked/a?dry=true', bearer, { account: 'b' }), 403, 'permission_denied');
  expect(ran).toEqual(['asked']);
});

describe('@Authorized and a caller who is not signed in', () => {
  const PATHS = [
    '/guarded/anybody',
    '/guarded/staff',
    '/guarded/verified',
    '/guarded/users',
    '/club/hall',
    '/refused/0',
  ];

  test.each<[what: string, headers: Record<string, string>]>([
    ['no header', {}],
    ['the scheme Basic', { authorization: `Basic ${btoa('user@example.com:password')}` }],
    ['the scheme alone', { authorization: 'Bearer' }],
    ['the scheme and blanks', { authorization: 'Bearer   ' }],
    ['no scheme', { authorization: 'eyJhbGciOiJIUzI1NiJ9.e30.c2ln' }],
    ['a scheme that only begins with Bearer', { authorization: 'Bearers a.b.c' }],
    ['no blank behind the scheme', { authorization: 'Bearer:a.b.c' }],
  ])('with %s gets 401 not_authenticated, never 403', async (_, headers) => {
    for (const path of PATHS) {
      const answer = await app.client().send('GET', path, undefined, headers);
      expectProblemDetails(answer, 401, 'not_authenticated');
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    }
    expect(ran).toEqual([]);
  });

  test('with an invalid token gets 401 token_not_valid', async () => {
    const { access, refreshToken } = await as(1000);
    const tokens = [
      'garbage',
      'a.b.c',
      `${access} x`,
      `x ${access}`,
      access.slice(0, -3),
      `${access}A`,
      refreshToken,
      '""',
    ];
    for (const token of tokens) {
      for (const path of PATHS) {
        const answer = await app.client().send('GET', path, undefined, { authorization: `Bearer ${token}` });
        expectProblemDetails(answer, 401, 'token_not_valid', [token]);
        expect(answer.headers.get('www-authenticate')).toContain('error="invalid_token"');
      }
    }
    expect(ran).toEqual([]);
  });

  test('with a valid token in any other place gets 401', async () => {
    const { access } = await as(1000);
    const client = app.client();
    const places: [string, Record<string, string>][] = [
      [`/guarded/anybody?access_token=${access}`, {}],
      ['/guarded/anybody', { cookie: `access=${access}; access_token=${access}; refresh_token=${access}` }],
      ['/guarded/anybody', { 'x-access-token': access, 'proxy-authorization': `Bearer ${access}` }],
    ];
    for (const [path, headers] of places) {
      expectProblemDetails(await client.send('GET', path, undefined, headers), 401, 'not_authenticated');
    }
  });

  test.each([['bearer'], ['BEARER'], ['Bearer ']])('the scheme may be written %s', async (scheme) => {
    const { access } = await as(0);
    const answer = await app
      .client()
      .send('GET', '/guarded/anybody', undefined, { authorization: `${scheme} ${access}` });
    expect(answer.status).toBe(200);
  });
});
