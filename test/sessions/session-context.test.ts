import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type BaseUser, type ForUserOptions, RefreshToken } from '../../src/index.js';
import { openToken, withClaims } from '../support/forge.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { claimsOf, createOwner, type Owner, sessionOf } from '../support/race.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';

/** The arguments that `forUser` received. */
const given: ForUserOptions[] = [];

class WatchingToken extends RefreshToken {
  static override async forUser(user: BaseUser, options: ForUserOptions = {}) {
    given.push(options);
    const token = await super.forUser(user);
    token.payload.tenant = 'of the user';
    token.payload.team = 'red';
    return token;
  }
}

const bothOf = (client: TestClient) => [claimsOf(client.access), claimsOf(client.refreshToken)];
const seconds = (app: TestApp) => Math.floor(app.clock.now() / 1000);
const rowOf = async (app: TestApp, id: string) => {
  const { rows } = await app.database.pool.query('select * from auth_session where id = $1', [id]);
  return rows[0];
};

describe.each([
  ['the shipped class, which rotates in one statement', RefreshToken],
  ['a class of the app', WatchingToken],
])('with %s', (_what, refreshToken) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ settings: { refreshToken } });
  });
  afterAll(() => app.close());

  test('both tokens say how and when the user authenticated, and a refresh does not change that', async () => {
    const client = await app.signedUp();
    const proved = { amr: ['pwd'], auth_time: seconds(app) };
    for (const claims of bothOf(client)) expect(claims).toMatchObject(proved);
    expect(await rowOf(app, sessionOf(client))).toMatchObject({
      amr: ['pwd'],
      auth_time: new Date(proved.auth_time * 1000),
      claims: null,
    });
    for (let use = 0; use < 3; use++) {
      app.clock.advance(1000);
      expect((await client.refresh()).status).toBe(200);
      for (const claims of bothOf(client)) expect(claims).toMatchObject(proved);
    }
  });

  test('a sign-in and a password change are a new authentication, each for its own session', async () => {
    const email = `${crypto.randomUUID()}@example.com`;
    const first = await app.signedUp(email);
    const signedUpAt = seconds(app);
    app.clock.advance(60);
    const second = app.client();
    expect((await second.login(email)).status).toBe(200);
    for (const claims of bothOf(second)) expect(claims).toMatchObject({ amr: ['pwd'], auth_time: signedUpAt + 60 });
    await first.refresh();
    for (const claims of bothOf(first)) expect(claims).toMatchObject({ amr: ['pwd'], auth_time: signedUpAt });
    app.clock.advance(60);
    expect((await second.changePassword(PASSWORD, 'another sentence of some length')).status).toBe(200);
    for (const claims of bothOf(second)) expect(claims).toMatchObject({ amr: ['pwd'], auth_time: signedUpAt + 120 });
  });

  test('claims that are bound to a session are in each of its tokens, and override those of forUser', async () => {
    const { id, client: other } = await createOwner(app);
    const bound = { tenant: 'acme', scopes: ['read'], since: new Date(0), nothing: null, left: undefined };
    const { access, refresh } = await app.auth.sessions.open({ id }, { claims: bound, amr: ['ticket'] });
    const client = Object.assign(app.client(), { access, refreshToken: refresh });
    const kept = { tenant: 'acme', scopes: ['read'], since: '1970-01-01T00:00:00.000Z', nothing: null };
    for (let use = 0; use < 3; use++) {
      for (const claims of bothOf(client)) {
        expect(claims).toMatchObject({ ...kept, amr: ['ticket'] });
        expect(claims).not.toHaveProperty('left');
      }
      app.clock.advance(100);
      expect((await client.refresh()).status).toBe(200);
    }
    expect((await rowOf(app, sessionOf(client))).claims).toEqual(kept);
    await other.refresh();
    for (const claims of bothOf(other)) {
      expect(claims.tenant).toBe(refreshToken === WatchingToken ? 'of the user' : undefined);
      expect(claims).toMatchObject({ amr: [] });
    }
  });

  test('the parent gets the same successor within the grace, byte for byte, with the bound claims', async () => {
    const { id } = await createOwner(app);
    const claims = { zeta: { b: 1, a: [1.5, 1e21, 'ü"\\'] }, alpha: true };
    const { access, refresh } = await app.auth.sessions.open({ id }, { claims, amr: ['a', 'b'] });
    const client = Object.assign(app.client(), { access, refreshToken: refresh });
    const parent = client.copy();
    app.clock.advance(100);
    expect((await client.refresh()).status).toBe(200);
    app.clock.advance(9);
    expect((await parent.refresh()).status).toBe(200);
    expect(parent.refreshToken).toBe(client.refreshToken);
    expect(claimsOf(parent.refreshToken)).toMatchObject({ ...claims, amr: ['a', 'b'] });
  });

  test('claims that make the refresh token too large for a cookie are refused, and no session is opened', async () => {
    const { id, live } = await createOwner(app);
    const opening = app.auth.sessions.open({ id }, { claims: { much: 'x'.repeat(3500) } });
    await expect(opening).rejects.toMatchObject({ code: 'token_too_large' });
    expect(await live()).toBe(1);
  });

  test('a session of an older version was authenticated when it was opened, by an unknown method', async () => {
    const { client } = await createOwner(app);
    const openedAt = seconds(app);
    const older = withClaims(openToken(client.refreshToken), { amr: undefined, auth_time: undefined });
    await app.database.pool.query('update auth_session set auth_time = null where id = $1', [sessionOf(client)]);
    client.refreshToken = older;
    app.clock.advance(500);
    expect((await client.refresh()).status).toBe(200);
    for (const claims of bothOf(client)) expect(claims).toMatchObject({ amr: [], auth_time: openedAt });
  });

  test.each([
    ['sub', 'reserved_claim'],
    ['session', 'reserved_claim'],
    ['amr', 'reserved_claim'],
    ['auth_time', 'reserved_claim'],
    ['cnf', 'reserved_claim'],
    ['role', 'reserved_claim'],
  ])('a claim %s is refused with %s, and no session is opened', async (name, code) => {
    const { id, live } = await createOwner(app);
    const opening = app.auth.sessions.open({ id }, { claims: { [name]: 'x' } });
    await expect(opening).rejects.toMatchObject({ code, detail: expect.stringContaining(`"${name}"`) });
    expect(await live()).toBe(1);
  });

  test('a toJSON of the claims cannot add a reserved name after the check', async () => {
    const { id } = await createOwner(app);
    const claims = Object.assign(Object.create({ toJSON: () => ({ iss: 'another', nbf: 1 }) }), { tenant: 'acme' });
    const { access } = await app.auth.sessions.open({ id }, { claims });
    const { claims: given } = openToken(access);
    expect([given.tenant, given.iss, given.nbf]).toEqual(['acme', undefined, undefined]);
  });

  test.each([
    ['a Map', { value: new Map() }],
    ['NaN', { value: Number.NaN }],
    ['NUL', { value: 'a\0b' }],
    ['a lone surrogate', { value: ['\ud83d'] }],
    ['NUL in a name', { value: { 'a\0b': 1 } }],
  ])('a claim with %s is refused, and no session is opened', async (_what, claims) => {
    const { id, live } = await createOwner(app);
    const opening = app.auth.sessions.open({ id }, { claims });
    await expect(opening).rejects.toMatchObject({ code: 'claim_not_serializable' });
    expect(await live()).toBe(1);
  });
});

describe('forUser', () => {
  let app: TestApp;
  let owner: Owner;
  beforeAll(async () => {
    app = await createTestApp({ settings: { refreshToken: WatchingToken } });
  });
  beforeEach(async () => {
    owner = await createOwner(app);
    given.length = 0;
  });
  afterAll(() => app.close());

  test('receives the data of the session and the client, at a sign-in and at a refresh', async () => {
    const agent = { 'user-agent': 'the agent of a test' };
    const email = `${crypto.randomUUID()}@example.com`;
    await app.client().register(email);
    given.length = 0;
    const client = app.client();
    await client.login(email, PASSWORD, agent);
    const authTime = seconds(app);
    app.clock.advance(100);
    await app.client().send('POST', '/auth/refresh', undefined, { ...client.cookieHeader, ...agent });
    const asked = {
      attributes: {},
      session: { amr: ['pwd'], authTime, claims: {} },
      client: {
        ip: expect.stringMatching(/127\.0\.0\.1$/),
        userAgent: agent['user-agent'],
        host: new URL(app.url).host,
      },
    };
    expect(given).toEqual([asked, asked]);
  });

  test('receives the claims that are bound to the session, and no client if the app opens it without one', async () => {
    const { refresh } = await app.auth.sessions.open({ id: owner.id }, { claims: { tenant: 'acme' }, amr: ['ticket'] });
    expect(given).toEqual([
      { attributes: {}, session: { amr: ['ticket'], authTime: seconds(app), claims: { tenant: 'acme' } } },
    ]);
    expect(claimsOf(refresh)).toMatchObject({ tenant: 'acme', team: 'red' });
  });
});

describe('a user who signs in by mail', () => {
  let app: MailApp;
  beforeAll(async () => {
    const settings = { emailVerification: 'mandatory', sessionOnEmailVerification: true, invitations: true } as const;
    app = await createMailApp({ ...settings, refreshToken: RefreshToken });
  });
  afterAll(() => app.close());

  const amrOf = (cookies: readonly string[]) => {
    const [pair = ''] = cookies.find((cookie) => cookie.startsWith('refresh_token='))?.split(';') ?? [];
    return claimsOf(pair).amr;
  };

  test('has proved a mailbox, and a password if one is set', async () => {
    const signUp = await app.client().register('ada@example.com');
    const mark = signUp.headers.getSetCookie()[0]?.split(';')[0] ?? '';
    const confirmed = await app.open(await app.linkTo('ada@example.com'), { headers: { cookie: mark } });
    expect(amrOf(confirmed.headers.getSetCookie())).toEqual(['mail']);

    await app.client().send('POST', '/auth/password/reset', { email: 'ada@example.com' });
    const link = await app.open(await app.linkTo('ada@example.com', 2));
    const cookie = link.headers.getSetCookie()[0]?.split(';')[0] ?? '';
    const newPassword = 'another sentence of some length';
    const set = await app.client().send('POST', '/auth/password/reset/set-new', { newPassword }, { cookie });
    expect(amrOf(set.headers.getSetCookie())).toEqual(['mail', 'pwd']);
  });
});
