import { Container } from 'typedi';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type BaseUser, type ForUserOptions, RefreshToken, TokenFactory } from '../../src/index.js';
import { ownContainer } from '../support/containers.js';
import { openToken } from '../support/forge.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';
import { AppRefreshToken } from '../support/users.js';

const RESERVED = [
  'sub',
  'jti',
  'iat',
  'exp',
  'iss',
  'aud',
  'token_type',
  'session',
  'session_iat',
  'role',
  'email_verified',
  'amr',
  'auth_time',
  'cnf',
];

/** Claims that `UnrulyToken` adds, and what its `forUser` returns instead of the token. */
interface Misbehaviour {
  readonly claims?: Record<string, unknown>;
  readonly answer?: () => unknown;
}

let misbehaviour: Misbehaviour = {};

class UnrulyToken extends RefreshToken {
  static override async forUser(user: BaseUser, options?: ForUserOptions) {
    const token = await super.forUser(user, options);
    Object.assign(token.payload, misbehaviour.claims);
    return misbehaviour.answer ? misbehaviour.answer() : token;
  }
}

const usersOf = async (app: TestApp, email: string) =>
  (await app.database.pool.query('select id from app_user where email = $1', [email])).rows;
const claimsOf = (client: TestClient) => [openToken(client.access).claims, openToken(client.refreshToken).claims];

describe("the app's own refresh token class", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ settings: { refreshToken: AppRefreshToken } });
  });
  afterAll(() => app.close());

  test('adds its claim to both tokens at sign-up, sign-in, rotation and password change', async () => {
    const client = await app.signedUp('claims@example.com');
    await app.database.pool.query(`update app_user set permissions = '["read"]' where email = 'claims@example.com'`);
    const signIns = [
      () => client.login('claims@example.com'),
      () => client.refresh(),
      () => client.changePassword(PASSWORD, 'another sentence of some length'),
    ];
    for (const signIn of signIns) {
      expect((await signIn()).status).toBe(200);
      for (const claims of claimsOf(client)) expect(claims.permissions).toEqual(['read']);
    }
  });

  test('shows a change in the database after one refresh, and not before', async () => {
    const client = await app.signedUp('fresh@example.com');
    for (const permissions of [['read'], ['read', 'write'], []]) {
      const before = openToken(client.access).claims.permissions;
      await app.database.pool.query('update app_user set permissions = $1 where email = $2', [
        JSON.stringify(permissions),
        'fresh@example.com',
      ]);
      expect((await client.get('/auth/user')).status).toBe(200);
      expect(openToken(client.access).claims.permissions).toEqual(before);
      await client.refresh();
      for (const claims of claimsOf(client)) expect(claims.permissions).toEqual(permissions);
    }
  });

  test('also has the role and the verified address of the last rotation', async () => {
    const client = await app.signedUp('role@example.com');
    for (const claims of claimsOf(client)) expect(claims).toMatchObject({ role: 0, email_verified: true });
    await app.database.pool.query(`update app_user set role = 700, email_verified = false where email = $1`, [
      'role@example.com',
    ]);
    await client.refresh();
    for (const claims of claimsOf(client)) expect(claims).toMatchObject({ role: 700, email_verified: false });
  });
});

describe('a faulty token class', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ settings: { refreshToken: UnrulyToken } });
  });
  afterEach(() => {
    misbehaviour = {};
    app.log.length = 0;
    app.events.length = 0;
  });
  afterAll(() => app.close());

  const failures: [what: string, code: string, how: Misbehaviour][] = [
    ['rejects', 'internal_error', { answer: () => Promise.reject(new Error('the permission service is away')) }],
    ['resolves to nothing', 'internal_error', { answer: () => undefined }],
    ['resolves to another object', 'internal_error', { answer: () => ({ payload: {} }) }],
    ['adds a claim that JSON cannot carry', 'claim_not_serializable', { claims: { balance: 5n } }],
    ['adds a claim that is too large for a cookie', 'token_too_large', { claims: { text: 'x'.repeat(4096) } }],
    ...RESERVED.map((claim): [string, string, Misbehaviour] => [
      `adds the reserved claim ${claim}`,
      'reserved_claim',
      { claims: { [claim]: 'own value' } },
    ]),
  ];

  test.each(failures)(
    'that %s refuses a sign-up with %s and leaves neither user nor session behind',
    async (what, code, how) => {
      const email = `${what.replaceAll(/[^a-z_]/g, '-')}@example.com`;
      const sessions = await app.sessions();
      misbehaviour = how;
      const answer = await app.client().register(email);
      expect([answer.status, answer.body.code]).toEqual([500, code]);
      expect(answer.body.detail).not.toMatch(/permission service|own value|xxx|eyJ/);
      if (code === 'reserved_claim') expect(answer.body.detail).toContain(`"${what.split(' ').at(-1)}"`);
      expect(answer.headers.getSetCookie()).toEqual([]);
      expect(await usersOf(app, email)).toEqual([]);
      expect(await app.sessions()).toEqual(sessions);
      expect(app.log.splice(0)).toEqual([expect.objectContaining({ level: 'error', message: 'request failed', code })]);
      misbehaviour = {};
      expect((await app.client().register(email)).status).toBe(201);
    },
  );

  test.each(failures)('that %s refuses a sign-in with %s and leaves no session behind', async (what, code, how) => {
    const email = `known-${what.replaceAll(/[^a-z_]/g, '-')}@example.com`;
    await app.signedUp(email);
    const sessions = await app.sessions();
    misbehaviour = how;
    const answer = await app.client().login(email);
    expect([answer.status, answer.body.code]).toEqual([500, code]);
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(await app.sessions()).toEqual(sessions);
  });

  test.each(failures)('that %s at a rotation refuses it with %s and consumes nothing', async (_, code, how) => {
    const client = await app.signedUp();
    const parent = openToken(client.refreshToken).claims;
    const row = async () => (await app.sessions()).find(({ id }) => id === parent.session);
    const stored = await row();
    app.events.length = 0;
    misbehaviour = how;
    const failed = await client.refresh();
    expect([failed.status, failed.body.code]).toEqual([500, code]);
    expect(failed.headers.getSetCookie()).toEqual([]);
    expect(await row()).toEqual(stored);

    misbehaviour = {};
    app.clock.advance(3600);
    expect((await client.refresh()).status).toBe(200);
    expect(await row()).toMatchObject({ previous_jti: parent.jti, jti: openToken(client.refreshToken).claims.jti });
    expect(app.events).toEqual([]);
    expect((await client.refresh()).status).toBe(200);
  });

  test('the error has the size of the token, and nothing of its content', async () => {
    misbehaviour = { claims: { text: 'x'.repeat(4096) } };
    const { body } = await app.client().register('large@example.com');
    expect(body.detail).toMatch(/^The refresh token has \d{4} bytes, too many for a cookie/);
  });
});

describe('without cookies', () => {
  test('a large token is accepted', async () => {
    const app = await createTestApp({ settings: { refreshToken: UnrulyToken, refreshTokenAsCookie: false } });
    misbehaviour = { claims: { text: 'x'.repeat(6000) } };
    const client = await app.signedUp();
    expect((await client.refresh()).status).toBe(200);
    expect(openToken(client.refreshToken).claims.text).toHaveLength(6000);
    misbehaviour = {};
    await app.close();
  });
});

describe('the token factory', () => {
  test('is registered in TypeDI, only in the container of the app', async () => {
    const container = ownContainer('factory');
    const app = await createTestApp({ auth: { container } });
    expect(container.get(TokenFactory)).toBe(app.auth.tokens);
    expect(container.get(TokenFactory)).toBeInstanceOf(TokenFactory);
    expect(Container.has(TokenFactory)).toBe(false);
    const client = await app.signedUp();
    expect(container.get(TokenFactory).verifyAccess(client.access)).toEqual(openToken(client.access).claims);
    await app.close();
  });

  test('two apps with two classes work in one process', async () => {
    const [own, shipped] = [await createTestApp(), await createTestApp({ settings: { refreshToken: undefined } })];
    expect(Object.keys(openToken((await own.signedUp()).access).claims)).toContain('permissions');
    expect(Object.keys(openToken((await shipped.signedUp()).access).claims)).not.toContain('permissions');
    await own.close();
    await shipped.close();
  });
});
