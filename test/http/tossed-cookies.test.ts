import { afterEach, expect, test } from 'vitest';
import type { SettingsInput } from '../../src/index.js';
import { expectProblem } from '../support/expect-problem.js';
import { sessionOf } from '../support/race.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';

/** Production with `__Host-refresh_token`, which had a DOMAIN or a PATH before. */
const changes: [title: string, settings: SettingsInput][] = [
  ['DOMAIN', { olderCookieDomains: 'example.com' }],
  ['PATH', { olderCookiePaths: '/auth' }],
];

let app: TestApp;
let ended: { session: string; reason: string }[];
afterEach(() => app.close());

/**
 * An app in which the attacker has an account. The cookie is one that a page on a sub-domain sets for the whole domain.
 */
async function attacked(settings: SettingsInput): Promise<{ attacker: TestClient; tossed: string }> {
  app = await createTestApp({ settings: { development: false, ...settings } });
  ended = [];
  app.auth.events.on('session.revoked', ({ session, reason }) => ended.push({ session, reason }));
  await app.signedUp('mallory@example.com');
  const { headers } = await app.client().login('mallory@example.com');
  const attacker = await tokenOf(headers);
  return { attacker, tossed: `refresh_token=${attacker.refreshToken}` };
}

async function tokenOf(headers: Headers): Promise<TestClient> {
  const [, refreshToken = ''] = /^__Host-refresh_token=([^;]+)/.exec(headers.getSetCookie().at(-1) ?? '') ?? [];
  return Object.assign(app.client(), { refreshToken });
}

const post = (path: string, cookie: string, body?: object) => app.client().send('POST', path, body, { cookie });

test.each(changes)(
  'a tossed cookie does not sign the user in as the attacker after a change of %s',
  async (_what, settings) => {
    const { tossed } = await attacked(settings);
    const victim = await tokenOf((await app.client().register('ada@example.com')).headers);
    const alone = await post('/auth/refresh', tossed);
    expectProblem(alone, 400, 'refresh_token_missing');
    expect(alone.headers.getSetCookie()).toEqual([]);
    expect((await post('/auth/refresh?quiet=true', tossed)).status).toBe(204);
    const dead = `__Host-refresh_token=${victim.refreshToken}`;
    expect((await post('/auth/logout', dead)).status).toBe(204);
    expectProblem(await post('/auth/refresh', `${tossed}; ${dead}`), 401, 'token_not_valid');
    expect(ended).toEqual([{ session: sessionOf(victim), reason: 'logout' }]);
  },
);

test('the next sign-in and sign-out expire a tossed cookie, which ends its session and no other', async () => {
  const { attacker, tossed } = await attacked({ olderCookieDomains: 'example.com' });
  await app.client().register('ada@example.com');
  const signIn = await post('/auth/login', tossed, { email: 'ada@example.com', password: PASSWORD });
  expect(signIn.headers.getSetCookie()[0]).toMatch(/^refresh_token=; Max-Age=0; Domain=example.com;/);
  expect(ended).toEqual([{ session: sessionOf(attacker), reason: 'superseded' }]);
  const victim = await tokenOf(signIn.headers);
  const signOut = await post('/auth/logout', `${tossed}; __Host-refresh_token=${victim.refreshToken}`);
  expect([signOut.status, signOut.headers.getSetCookie().length]).toEqual([204, 2]);
  expect(ended.slice(1)).toEqual([{ session: sessionOf(victim), reason: 'logout' }]);
});

test('a sign-out with only a tossed cookie expires it', async () => {
  const { attacker, tossed } = await attacked({ olderCookieDomains: 'example.com' });
  const signOut = await post('/auth/logout', tossed);
  expect([signOut.status, signOut.headers.getSetCookie().length]).toEqual([204, 2]);
  expect(ended).toEqual([{ session: sessionOf(attacker), reason: 'logout' }]);
});
