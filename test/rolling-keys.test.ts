import { afterEach, describe, expect, test } from 'vitest';
import type { SettingsInput } from '../src/index.js';
import { createMailApp, type MailApp } from './support/mail-app.js';
import { PASSWORD } from './support/test-client.js';
import type { TestDatabase } from './support/test-database.js';
import { newKey, type TestKey } from './support/test-keys.js';

const apps: MailApp[] = [];
afterEach(async () => {
  for (const app of apps.splice(0).reverse()) await app.close();
});

/** Two servers in the middle of a rolling change: each knows both keys, and signs with its own. */
async function rolling(algorithm: 'HS256' | 'ES256', more: SettingsInput = {}): Promise<[MailApp, MailApp]> {
  const [first, second] = [await newKey(algorithm), await newKey(algorithm)];
  const start = async (own: TestKey, other: TestKey, database?: TestDatabase) => {
    const settings = { ...own.settings, verifyingKeys: other.older, emailVerification: 'optional' as const, ...more };
    const app = await createMailApp(settings, { database });
    apps.push(app);
    return app;
  };
  const old = await start(first, second);
  return [old, await start(second, first, old.database)];
}

const waiting = async () =>
  (await (apps[0] as MailApp).database.pool.query('select * from auth_outbox_mail')).rows.length;

describe.each(['HS256', 'ES256'] as const)('while the signing key %s is changed server by server', (algorithm) => {
  test('guesses are counted together, whichever server hears them', async () => {
    const servers = await rolling(algorithm, { loginRateLimit: '10/15m/account', emailVerification: 'none' });
    await servers[0].client().register('ada@example.com');
    const statuses: number[] = [];
    for (let guess = 0; guess < 20; guess++) {
      const app = servers[guess % 2] as MailApp;
      statuses.push((await app.client().login('ada@example.com', `wrong, wrong ${guess}`)).status);
    }
    expect(statuses.filter((status) => status === 401)).toHaveLength(10);
    expect(statuses.filter((status) => status === 429)).toHaveLength(10);
  });

  test('mails are counted together', async () => {
    const servers = await rolling(algorithm, { mailRateLimit: '2/1h/account', emailVerification: 'none' });
    const statuses: number[] = [];
    for (const app of [...servers, ...servers]) {
      const answer = await app.client().send('POST', '/auth/password/reset', { email: 'ada@example.com' });
      statuses.push(answer.status);
    }
    expect(statuses).toEqual([202, 202, 429, 429]);
  });

  test('no mail that waits is lost, and those of the other server stop none', async () => {
    const [old, young] = await rolling(algorithm);
    for (const app of [old, young]) app.sink.refuseWith(451);
    for (let index = 0; index < 12; index++) await old.client().register(`old${index}@example.com`);
    await young.client().register('young@example.com');
    await old.auth.outbox.stop();
    await young.auth.outbox.stop();
    expect(await waiting()).toBe(13);
    for (const app of [old, young]) {
      app.sink.refuseWith(0);
      app.clock.advance('2m');
    }
    // The young server looks first. With an older secret it reads all; with a public key it reads its own.
    const read = algorithm === 'HS256' ? 13 : 1;
    expect(await young.auth.outbox.deliver()).toBe(read);
    expect(young.sink.mails.some(({ to }) => [to].flat()[0]?.text === 'young@example.com')).toBe(true);
    expect(await waiting()).toBe(13 - read);
    for (const minutes of [5, 15, 60]) {
      young.clock.advance(`${minutes}m`);
      expect(await young.auth.outbox.deliver()).toBe(0); // looked at once, and left
    }
    old.clock.advance('85m');
    expect(await old.auth.outbox.deliver()).toBe(13 - read);
    expect(await waiting()).toBe(0);
    expect(young.log.filter(({ message }) => message === 'a mail was dropped')).toEqual([]);
  });

  test('the browser that signed up at one server is known at the other, where both have the secrets', async () => {
    const [old, young] = await rolling(algorithm, { emailVerification: 'mandatory', sessionOnEmailVerification: true });
    for (const [here, there, email] of [
      [old, young, 'ada@example.com'],
      [young, old, 'bob@example.com'],
    ] as const) {
      const { headers } = await here.client().send('POST', '/auth/registration', { email, password: PASSWORD });
      const cookie = headers.getSetCookie()[0]?.split(';')[0] ?? '';
      const opened = await there.open((await here.linkTo(email)).replace(here.url, there.url), { headers: { cookie } });
      // Of key pairs a server has only its own private key. The address is confirmed, and the user has to sign in.
      expect([...opened.cookies.keys()]).toEqual(
        algorithm === 'HS256' ? expect.arrayContaining(['refresh_token']) : [],
      );
      expect((await there.client().login(email, PASSWORD)).status).toBe(200);
    }
  });

  test('signing in goes on', async () => {
    const [old, young] = await rolling(algorithm, { emailVerification: 'none' });
    await old.client().register('ada@example.com');
    expect((await young.client().login('ada@example.com', PASSWORD)).status).toBe(200);
  });
});
