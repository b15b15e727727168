import { expect, test } from 'vitest';
import { expectProblem } from '../support/expect-problem.js';
import { createMailApp } from '../support/mail-app.js';
import { expectProblemDetails } from '../support/problem-details.js';

const NEW = 'a new sentence of some length';

test('in production a one-time cookie is bound to its host, and a cookie without the prefix is ignored', async () => {
  const app = await createMailApp({ refreshTokenCookieSecure: true });
  await app.signedUp('ada@example.com');
  await app.client().send('POST', '/auth/password/reset', { email: 'ada@example.com' });
  const { cookies } = await app.open(await app.linkTo('ada@example.com'));
  const cookie = cookies.get('__Host-password_reset_access_token') ?? '';
  expect(cookie).toMatch(/; Path=\/; .*Secure/);
  expect(cookie).not.toContain('Domain');
  const pair = cookie.split(';')[0] ?? '';
  const setNew = (sent: string) =>
    app.client().send('POST', '/auth/password/reset/set-new', { newPassword: NEW }, { cookie: sent });
  for (const tossed of [pair.replace('__Host-', ''), `\u00a0${pair}`]) {
    expectProblem(await setNew(tossed), 401, 'token_not_valid');
  }
  expect((await setNew(pair)).status).toBe(200);
  await app.close();
});

test('a routePrefix that PUBLIC_URL does not contain is refused', async () => {
  const options = { server: { routePrefix: '/api' } };
  await expect(createMailApp({}, options)).rejects.toThrow(/publicUrl must end with/);
});

test('a mailed link, its cookie and its form work below routePrefix', async () => {
  const publicUrl = 'http://accounts.test/api';
  const app = await createMailApp({ publicUrl }, { server: { routePrefix: '/api' } });
  const signUp = { email: 'ada@example.com', password: NEW };
  expect((await app.client().send('POST', '/api/auth/registration', signUp)).status).toBe(201);
  await app.client().send('POST', '/api/auth/password/reset', { email: 'ada@example.com' });
  const opened = await app.open(await app.linkTo('ada@example.com'));
  expect([opened.status, opened.location]).toEqual([303, `${publicUrl}/auth/password/reset/form`]);
  const cookie = opened.cookies.get('password_reset_access_token') ?? '';
  expect(cookie).toContain('Path=/api/auth;');
  const form = await app.open(opened.location ?? '', { headers: { cookie: cookie.split(';')[0] ?? '' } });
  expect([form.status, form.html.includes('action="/api/auth/password/reset/form"')]).toEqual([200, true]);
  expectProblemDetails(await app.client().get('/api/auth/nothing'), 404, 'not_found');
  await app.close();
});
