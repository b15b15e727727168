import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestApp, type TestApp } from '../support/test-app.js';

const MAIN = fileURLToPath(new URL('../../dist/test/support/bare-client-main.js', import.meta.url));

let app: TestApp;
beforeEach(async () => {
  app = await createTestApp({ settings: { accessTokenLifetime: '10m', refreshTokenAsCookie: false } });
});
afterEach(() => app.close());

test('a client without browser APIs signs up, refreshes, retries after a 401 and signs out at a real server', async () => {
  const child = fork(MAIN, [app.url]);
  const ended = once(child, 'exit').then(([code]) => code);
  const message = async () =>
    (
      await Promise.race([once(child, 'message'), ended.then((code) => Promise.reject(new Error(`ended: ${code}`)))])
    )[0];
  expect(await message()).toEqual({ isNewToken: true });
  app.clock.advance('11m');
  child.send('ended');
  expect(await message()).toEqual({
    status: 200,
    state: { status: 'signed-out' },
    sent: [
      'POST /auth/registration 201',
      'POST /auth/refresh?quiet=true 200',
      'GET /auth/user 401',
      'POST /auth/refresh?quiet=true 200',
      'GET /auth/user 200',
      'POST /auth/logout 204',
    ],
  });
  expect(await ended).toBe(0);
  expect(await app.liveSessions()).toBe(0);
  expect(app.events).toEqual([]);
});
