import { afterEach, expect, test } from 'vitest';
import { createMailApp, type MailApp, type PageAnswer, PUBLIC_URL } from '../support/mail-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { PASSWORD } from '../support/test-client.js';

let app: MailApp;
let proxy: TcpProxy | undefined;
afterEach(async () => {
  await app.close();
  await proxy?.close();
  proxy = undefined;
});

/** Links that people open. */
const OPENED = [
  '/auth/registration/verification/some-key',
  '/auth/password/reset/confirm/some-key',
  '/auth/password/reset/form',
  '/auth/registration/set-password/some-key',
  '/auth/registration/password-form',
];
const open = (path: string, init?: RequestInit) => app.open(PUBLIC_URL + path, init);

function expectErrorPage({ status, html, headers }: PageAnswer, expected: number, text: string): void {
  expect([status, headers.get('content-type')]).toEqual([expected, 'text/html; charset=utf-8']);
  expect(headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(headers.get('cache-control')).toBe('no-store');
  expect(html).toContain(text);
  expect(html).toContain('Nothing was changed.');
}

test.each(OPENED)(
  '%s that was opened too often is answered with a page with the time of the next try',
  async (path) => {
    app = await createMailApp({ invitations: true, mailRateLimit: '5/1h/account' });
    for (let tries = 0; tries < 100; tries++) expect((await open(path)).status).toBe(400);
    const refused = await open(path);
    expectErrorPage(refused, 429, '<h1>Please try again later</h1>');
    expect(Number(refused.headers.get('retry-after'))).toBe(900);
    app.clock.advance('15m');
    expect((await open(path)).status).toBe(400);
  },
);

test.each(OPENED)('%s is answered with a page while the database is away', async (path) => {
  const own = await TcpProxy.start();
  proxy = own;
  app = await createMailApp(
    { invitations: true, mailRateLimit: '5/1h/account' },
    { databaseUrl: (direct) => own.urlOf(direct) },
  );
  await own.setDoor('closed');
  const refused = await open(path);
  expectErrorPage(refused, 503, '<h1>Please try again later</h1>');
  expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
  await own.setDoor('open');
});

test.each(['/auth/password/reset/form', '/auth/registration/password-form'])(
  '%s is refused with a page when another site sends it',
  async (path) => {
    app = await createMailApp({ invitations: true });
    const body = new URLSearchParams({ newPassword: 'a new sentence of some length' });
    const refused = await open(path, { method: 'POST', body, headers: { origin: 'https://evil.example' } });
    expectErrorPage(refused, 403, '<h1>This did not work</h1>');
    expect(refused.headers.get('retry-after')).toBeNull();
  },
);

test('the form of a new password takes a body of 10 kB, and answers one byte more with a page and 413', async () => {
  app = await createMailApp({});
  await app.client().register('ada@example.com');
  await app.client().send('POST', '/auth/password/reset', { email: 'ada@example.com' });
  const opened = await app.open(await app.linkTo('ada@example.com'));
  const cookie = [...opened.cookies.values()].map((each) => each.split(';')[0]).join('; ');
  const submit = (bytes: number) => {
    const start = 'newPassword=a+new+sentence+of+some+length&padding=';
    const body = new URLSearchParams(start.padEnd(bytes, 'x'));
    return open('/auth/password/reset/form', { method: 'POST', body, headers: { cookie, origin: PUBLIC_URL } });
  };
  expectErrorPage(await submit(10 * 1024 + 1), 413, '<h1>This did not work</h1>');
  expect((await app.client().login('ada@example.com', PASSWORD)).status).toBe(200);
  expect((await submit(10 * 1024)).status).toBe(200);
  expect((await app.client().login('ada@example.com', 'a new sentence of some length')).status).toBe(200);
});

test('requests of programs are answered with problem details', async () => {
  app = await createMailApp({ mailRateLimit: '5/1h/account' });
  const setNew = () => app.client().send('POST', '/auth/password/reset/set-new', { newPassword: 'a new sentence' });
  for (let tries = 0; tries < 100; tries++) await setNew();
  const { status, headers, body } = await setNew();
  expect([status, headers.get('content-type'), body.code]).toEqual([
    429,
    'application/problem+json; charset=utf-8',
    'too_many_requests',
  ]);
});
