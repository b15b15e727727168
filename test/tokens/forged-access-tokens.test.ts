import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openToken, withClaims } from '../support/forge.js';
import { FORGERIES, type Loot } from '../support/forgeries.js';
import { expectTokenNotValid, INVALID_TOKEN } from '../support/refusal.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import type { TestClient } from '../support/test-client.js';

let app: TestApp;
let victim: TestClient;
let stranger: TestClient;

beforeAll(async () => {
  app = await createTestApp();
  victim = await app.signedUp();
  stranger = await app.signedUp();
});
afterAll(async () => {
  expect((await victim.get('/auth/user')).status).toBe(200);
  for (const client of [victim, stranger]) expect((await client.refresh()).status).toBe(200);
  await app.close();
});

describe('a forged access token', () => {
  test.each(FORGERIES)('opens nothing: %s', async (_, forge) => {
    const sessions = await app.sessions();
    const loot: Loot = {
      live: openToken(victim.access),
      otherKind: openToken(victim.refreshToken),
      stranger: openToken(stranger.access),
    };
    const headers = { authorization: `Bearer ${forge(loot)}` };
    expectTokenNotValid(await app.client().send('GET', '/auth/user', undefined, headers), INVALID_TOKEN);
    expectTokenNotValid(await app.client().send('POST', '/auth/logout-all', undefined, headers), INVALID_TOKEN);
    expect(await app.sessions()).toEqual(sessions);
  });

  test("one signed by hand with the app's secret is accepted, so each refusal above has its one difference as the cause", async () => {
    const token = withClaims(openToken(victim.access), { more: 'a claim of an older version of the app' });
    const answer = await app.client().send('GET', '/auth/user', undefined, { authorization: `Bearer ${token}` });
    expect(answer.status).toBe(200);
    expect(answer.body.id).toBe(openToken(victim.access).claims.sub);
  });

  test('a real one opens nothing in a cookie, in the URL, in a body or under another scheme', async () => {
    const token = victim.access;
    const ask = (path: string, headers = {}) => app.client().send('GET', path, undefined, headers);
    const answers = [
      await ask(`/auth/user?access_token=${token}&access=${token}`),
      await ask('/auth/user', { cookie: `access=${token}; access_token=${token}` }),
      await ask('/auth/user', { authorization: token }),
      await ask('/auth/user', { authorization: `JWT ${token}` }),
      await ask('/auth/user', { authorization: 'Bearer' }),
      await ask('/auth/user', { 'x-access-token': token }),
      await app.client().send('PATCH', '/auth/user', JSON.stringify({ access_token: token })),
    ];
    for (const answer of answers) {
      expect([answer.status, answer.body.code]).toEqual([401, 'not_authenticated']);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    }
  });
});

describe('a forged refresh cookie', () => {
  const loot = (): Loot => ({
    live: openToken(victim.refreshToken),
    otherKind: openToken(victim.access),
    stranger: openToken(stranger.refreshToken),
  });

  test.each(FORGERIES)('is refused, and no cookie is set: %s', async (_, forge) => {
    const sessions = await app.sessions();
    const headers = { cookie: `refresh_token=${forge(loot())}` };
    const answer = await app.client().send('POST', '/auth/refresh', undefined, headers);
    expectTokenNotValid(answer, 'Bearer');
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(await app.sessions()).toEqual(sessions);
    expect(app.events).toEqual([]);
  });

  test('is skipped in favour of the real one that is sent with it, in any position', async () => {
    for (const place of ['in front', 'behind']) {
      const forged = FORGERIES.slice(0, 3).map(([, forge]) => `refresh_token=${forge(loot())}`);
      const real = `refresh_token=${victim.refreshToken}`;
      const cookie = (place === 'in front' ? [...forged, real] : [real, ...forged]).join('; ');
      const answer = await app.client().send('POST', '/auth/refresh', undefined, { cookie });
      expect(answer.status, place).toBe(200);
      victim.refreshToken = answer.cookie?.value ?? '';
      victim.access = answer.body.access;
    }
    expect(app.events).toEqual([]);
  });
});
