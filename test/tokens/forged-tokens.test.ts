import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openToken, withClaims } from '../support/forge.js';
import { BODY_FORGERIES, FORGERIES, type Loot } from '../support/forgeries.js';
import { expectTokenNotValid, INVALID_TOKEN, postRefresh } from '../support/refusal.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import type { TestClient } from '../support/test-client.js';

const UUID = '76543210-89ab-4cde-8f01-23456789abcd';

describe('a forged refresh token', () => {
  let app: TestApp;
  let victim: TestClient;
  let stranger: TestClient;
  let loot: Loot;
  const wholeTable = async () => (await app.database.pool.query('select * from auth_session order by id')).rows;

  beforeAll(async () => {
    app = await createTestApp({ settings: { refreshTokenAsCookie: false } });
    victim = await app.signedUp();
    stranger = await app.signedUp();
    loot = {
      live: openToken(victim.refreshToken),
      otherKind: openToken(victim.access),
      stranger: openToken(stranger.refreshToken),
    };
  });
  afterAll(async () => {
    for (const client of [victim, stranger]) expect((await client.refresh()).status).toBe(200);
    expect(await app.liveSessions()).toBe(2);
    await app.close();
  });

  test.each([...FORGERIES, ...BODY_FORGERIES])('is refused and ends nothing: %s', async (_, forge) => {
    const before = await wholeTable();
    const token = forge(loot);
    expect(token).not.toBe(victim.refreshToken);
    expectTokenNotValid(await postRefresh(app.client(), '/auth/refresh', token), 'Bearer');
    expect(await wholeTable()).toEqual(before);
    expect(app.events.splice(0)).toEqual([]);
  });

  test.each([...FORGERIES, ...BODY_FORGERIES])('signs no user out: %s', async (_, forge) => {
    const before = await wholeTable();
    expectTokenNotValid(await postRefresh(app.client(), '/auth/logout', forge(loot)), 'Bearer');
    expect(await wholeTable()).toEqual(before);
  });

  test.each<[what: string, changes: (loot: Loot) => object]>([
    ['of a session that never was', () => ({ session: UUID })],
    ['of a user who never was', () => ({ sub: UUID })],
    ['of the session of another user', ({ stranger: { claims } }) => ({ session: claims.session })],
    [
      'of the session and the token id of another user',
      ({ stranger: { claims } }) => ({ session: claims.session, jti: claims.jti }),
    ],
    ['of another user with the session of this one', ({ stranger: { claims } }) => ({ sub: claims.sub })],
    ['of another user with an old token id', ({ stranger: { claims } }) => ({ sub: claims.sub, jti: UUID })],
  ])('correctly signed, %s, is unknown-session: refused and reported, and nothing is ended', async (_, changes) => {
    const before = await wholeTable();
    const token = withClaims(loot.live, changes(loot));
    const { claims } = openToken(token);
    expectTokenNotValid(await postRefresh(app.client(), '/auth/refresh', token), 'Bearer');
    expect(await wholeTable()).toEqual(before);
    expect(app.events.splice(0)).toEqual([
      { reuse: 'unknown-session', session: claims.session, user: claims.sub, at: new Date(app.clock.now()) },
    ]);
    expect(app.log.splice(0)).toEqual([
      {
        level: 'warn',
        message: 'refresh token reuse',
        reuse: 'unknown-session',
        session: claims.session,
        user: claims.sub,
      },
    ]);
    expect((await postRefresh(app.client(), '/auth/logout', token)).status).toBe(204);
    expect(await wholeTable()).toEqual(before);
  });

  test("a token signed by hand with the app's secret is accepted, so each refusal above has its one difference as the cause", async () => {
    const client = await app.signedUp();
    const opened = openToken(client.refreshToken);
    const token = withClaims(opened, { more: 'a claim of an older version of the app' });
    expect(token).not.toBe(opened.token);
    const answer = await postRefresh(client, '/auth/refresh', token);
    expect(answer.status).toBe(200);
    client.refreshToken = answer.body.refresh;
    expect((await client.logout()).status).toBe(204);
  });
});

describe('with ISSUER and AUDIENCE set', () => {
  const ISSUER = 'https://id.example.com';
  const AUDIENCE = 'shop';
  let app: TestApp;
  let client: TestClient;

  beforeAll(async () => {
    app = await createTestApp({ settings: { refreshTokenAsCookie: false, issuer: ISSUER, audience: AUDIENCE } });
    client = await app.signedUp();
  });
  afterAll(async () => {
    expect((await client.refresh()).status).toBe(200);
    await app.close();
  });

  test.each<[what: string, changes: object]>([
    ['no iss', { iss: undefined }],
    ['no aud', { aud: undefined }],
    ['neither', { iss: undefined, aud: undefined }],
    ['another iss', { iss: 'https://other.example.com' }],
    ['an iss with a slash more', { iss: `${ISSUER}/` }],
    ['an iss in capitals', { iss: ISSUER.toUpperCase() }],
    ['an iss as an array', { iss: [ISSUER] }],
    ['an iss of null', { iss: null }],
    ['another aud', { aud: 'bank' }],
    ['an empty aud', { aud: '' }],
    ['an aud as an array', { aud: [AUDIENCE] }],
    ['an aud as an array of several', { aud: ['bank', AUDIENCE] }],
    ['iss and aud exchanged', { iss: AUDIENCE, aud: ISSUER }],
  ])('a correctly signed token of %s is refused by every endpoint and ends nothing', async (_, changes) => {
    const before = await app.sessions();
    const refresh = withClaims(openToken(client.refreshToken), changes);
    expectTokenNotValid(await postRefresh(client, '/auth/refresh', refresh), 'Bearer');
    expectTokenNotValid(await postRefresh(client, '/auth/logout', refresh), 'Bearer');
    const headers = { authorization: `Bearer ${withClaims(openToken(client.access), changes)}` };
    expectTokenNotValid(await client.send('GET', '/auth/user', undefined, headers), INVALID_TOKEN);
    expect(await app.sessions()).toEqual(before);
    expect(app.events).toEqual([]);
  });

  test('tokens with both are accepted', async () => {
    expect(openToken(client.access).claims).toMatchObject({ iss: ISSUER, aud: AUDIENCE });
    expect(openToken(client.refreshToken).claims).toMatchObject({ iss: ISSUER, aud: AUDIENCE });
    expect((await client.get('/auth/user')).status).toBe(200);
    expect((await client.refresh()).status).toBe(200);
  });
});
