import { afterEach, expect, test } from 'vitest';
import { BoundClient } from '../support/bound-client.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';

const EMAIL = 'ada@example.com';

let app: TestApp;
afterEach(() => app.close());

/** An app behind a proxy that removes `/api` from the path. Its PUBLIC_URL is wrong or missing. */
async function start(publicUrl?: string): Promise<BoundClient> {
  app = await createTestApp({ settings: { publicUrl, development: true } });
  await app.signedUp(EMAIL);
  app.log.length = 0;
  return BoundClient.of(app);
}

/** Signs in with a proof for this URL. @returns the status */
async function signIn(client: BoundClient, htu: unknown): Promise<number> {
  const dpop = await client.proof('POST', '/auth/login', { claims: { htu } });
  return (await client.send('POST', '/auth/login', { email: EMAIL, password: PASSWORD }, { dpop })).status;
}

const warnings = () => app.log.map(({ level, given, expected, omitted }) => ({ level, given, expected, omitted }));

test('a sign-in with a proof for another URL causes one warning a minute, with the given and the expected URL', async () => {
  const client = await start('https://old.example.com/api');
  const warning = {
    level: 'warn',
    given: 'https://new.example.com/api/auth/login',
    expected: 'https://old.example.com/api/auth/login',
  };
  for (let times = 0; times < 3; times++) {
    expect(await signIn(client, 'https://new.example.com/api/auth/login')).toBe(401);
    expect((await app.client().login(EMAIL)).status).toBe(200); // as AuthClient does: its session is not bound
  }
  expect(warnings()).toEqual([{ ...warning, omitted: undefined }]);
  expect(app.log[0]?.message).toMatch(
    /^DPoP proof for another URL refused\. If .* Remedy: set publicUrl, trustedOrigins or /,
  );
  app.clock.advance('1m');
  expect(await signIn(client, 'https://new.example.com/api/auth/login')).toBe(401);
  expect(warnings()).toEqual([
    { ...warning, omitted: undefined },
    { ...warning, omitted: 2 },
  ]);
});

test.each([
  [
    'a query, a fragment and a password',
    'https://a:secret@example.com/login?token=secret#secret',
    'https://example.com/login',
  ],
  ['a path alone', '/auth/login', '/auth/login'],
  ['1,000 characters', `https://example.com/${'a'.repeat(1000)}`, `https://example.com/${'a'.repeat(180)}`],
  ['a list', ['https://example.com/login?secret'], 'object'],
  ['an object that is no text', { toString: 1 }, 'object'],
  ['nothing', undefined, 'undefined'],
])('the warning about a URL with %s has the part that counts, and nothing of the proof', async (_, htu, given) => {
  const client = await start();
  expect(await signIn(client, htu)).toBe(401);
  expect(warnings()).toEqual([{ level: 'warn', given, expected: `${app.url}/auth/login`, omitted: undefined }]);
  expect(JSON.stringify(app.log)).not.toMatch(/secret|eyJ|jwk/);
});

test('a refresh with a proof for another URL causes the warning too, and a proof by a wrong key does not', async () => {
  const client = await start();
  await client.login(EMAIL);
  const dpop = await client.proof('POST', '/auth/refresh', { claims: { htu: 'https://new.example.com/auth/refresh' } });
  expect((await client.refresh({ dpop })).body['reason']).toBe('proof-for-another-url');
  const given = 'https://new.example.com/auth/refresh';
  const warning = { level: 'warn', given, expected: `${app.url}/auth/refresh`, omitted: undefined };
  expect(warnings()[0]).toEqual(warning);
  const thief = await client.stolenBy((await BoundClient.of(app)).key);
  expect((await thief.refresh()).body['reason']).toBe('proof-of-another-key');
  expect(app.log.filter((line) => 'given' in line)).toHaveLength(1);
});
