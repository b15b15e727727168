import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SettingsInput } from '../../src/index.js';
import { createMagicLinkApp } from '../support/magic-link-app.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { createPerson } from '../support/person.js';
import { secrets } from '../support/secrets.js';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/test-app.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';
import { newKey } from '../support/test-keys.js';
import { challenged, enrol, verify } from '../support/totp-app.js';

const apps: MailApp[] = [];
let started = 0;
let base: TestApp;
beforeAll(async () => {
  base = await createTestApp();
});
afterAll(() => base.close());
afterEach(async () => {
  for (const app of apps.splice(0).reverse()) await app.close();
  await base.database.pool.query('delete from auth_outbox_mail');
});

const newEncryptionKey = () => {
  const key = randomBytes(32).toString('base64url');
  secrets.add(key);
  return key;
};

/** Settings of the old and the new servers in the middle of a rolling change. */
type Change = () => Promise<[SettingsInput, SettingsInput]>;

/** Each server knows both signing keys, and signs with its own. */
const signingKey = (algorithm: 'HS256' | 'ES256') => async (): Promise<[SettingsInput, SettingsInput]> => {
  const [old, young] = [await newKey(algorithm), await newKey(algorithm)];
  return [
    { ...old.settings, verifyingKeys: young.older },
    { ...young.settings, verifyingKeys: old.older },
  ];
};

/** Each server knows both keys, and encrypts with its own. */
const encryptionKey: Change = async () => {
  const keys = [newEncryptionKey(), newEncryptionKey()];
  return [{ encryptionKeys: keys.join(',') }, { encryptionKeys: keys.toReversed().join(',') }];
};

async function start(change: Change, more: SettingsInput = {}): Promise<[MailApp, MailApp]> {
  const [first, second] = await change();
  started++;
  const startOne = async (own: SettingsInput) => {
    const { database } = base;
    const configure: TestAppOptions['configure'] = (app) => app.set('trust proxy', true);
    const settings = { emailVerification: 'optional' as const, ...own, ...more };
    const app = await createMailApp(settings, { database, express: 5, configure });
    apps.push(app);
    return app;
  };
  return [await startOne(first), await startOne(second)];
}

const waiting = async () => (await base.database.pool.query('select * from auth_outbox_mail')).rows.length;

/** An address that no other test uses. */
const addressOf = (name: string) => `${name}.${started}@example.com`;

const STRANGER = { 'x-forwarded-for': '203.0.113.9' };

/** Guesses a password at each server in turn, from another network than the owner's, and returns the answers. */
async function guess(servers: readonly MailApp[], count: number): Promise<number[]> {
  const statuses: number[] = [];
  for (let index = 0; index < count; index++) {
    const app = servers[index % servers.length] as MailApp;
    statuses.push((await app.client().login(addressOf('ada'), `wrong, wrong ${index}`, STRANGER)).status);
  }
  return statuses;
}

/** Pending mails, three of the old server and one of the new, which both can be sent from now on. */
async function leaveMails([old, young]: readonly [MailApp, MailApp]): Promise<void> {
  for (const app of [old, young]) app.sink.refuseWith(451);
  for (let index = 0; index < 3; index++) await old.client().register(addressOf(`old${index}`));
  await young.client().register(addressOf('young'));
  for (const app of [old, young]) await app.auth.outbox.stop();
  expect(await waiting()).toBe(4);
  for (const app of [old, young]) {
    app.sink.refuseWith(0);
    app.clock.advance('2m');
  }
}

describe.each<[what: string, change: Change]>([
  ['the signing key HS256', signingKey('HS256')],
  ['the signing key ES256', signingKey('ES256')],
  ['the encryption key', encryptionKey],
])('while %s is changed server by server', (_, change) => {
  test('guesses are counted together, whichever server receives them', async () => {
    const servers = await start(change, { loginRateLimit: '4/15m/account', emailVerification: 'none' });
    await servers[0].client().register(addressOf('ada'));
    const statuses = await guess(servers, 8);
    expect(statuses.filter((status) => status === 401)).toHaveLength(4);
    expect(statuses.filter((status) => status === 429)).toHaveLength(4);
  });

  test('mails are counted together', async () => {
    const servers = await start(change, { mailRateLimit: '2/1h/account', emailVerification: 'none' });
    const statuses: number[] = [];
    for (const app of [...servers, ...servers]) {
      const answer = await app.client().send('POST', '/auth/password/reset', { email: addressOf('ada') });
      statuses.push(answer.status);
    }
    expect(statuses).toEqual([202, 202, 429, 429]);
  });

  test('both servers recognise a network where the owner has signed in', async () => {
    const limits = { loginRateLimit: '2/15m/account', emailVerification: 'none' } as const;
    const [old, young] = await start(change, limits);
    await old.client().register(addressOf('ada'));
    expect(await guess([old, young], 3)).toEqual([401, 401, 429]);
    expect((await young.client().login(addressOf('ada'), PASSWORD)).status).toBe(200);
  });

  test('each server sends the mails that the other has left', async () => {
    const servers = await start(change);
    await leaveMails(servers);
    const [old, young] = servers;
    expect(await young.auth.outbox.deliver()).toBe(4);
    expect(await waiting()).toBe(0);
    expect([...old.log, ...young.log].filter(({ error }) => /sealed/.test(String(error)))).toEqual([]);
  });

  test('the browser that signed up at one server is recognised at the other', async () => {
    const [old, young] = await start(change, { emailVerification: 'mandatory', sessionOnEmailVerification: true });
    for (const [here, there, email] of [
      [old, young, addressOf('ada')],
      [young, old, addressOf('bob')],
    ] as const) {
      const { headers } = await here.client().send('POST', '/auth/registration', { email, password: PASSWORD });
      const cookie = headers.getSetCookie()[0]?.split(';')[0] ?? '';
      expect((await there.client().login(email, PASSWORD)).body.code).toBe('email_not_verified');
      const opened = await there.open((await here.linkTo(email)).replace(here.url, there.url), { headers: { cookie } });
      expect([...opened.cookies.keys()]).toContain('refresh_token');
      expect((await there.client().login(email, PASSWORD)).status).toBe(200);
    }
  });

  test('signing in still works, and retries that reach the other server are no theft', async () => {
    const [old, young] = await start(change, { emailVerification: 'none' });
    const client = old.client();
    await client.register(addressOf('ada'));
    for (let generation = 0; generation < 4; generation++) {
      const retry: TestClient = Object.assign(young.client(), { refreshToken: client.refreshToken });
      for (const app of [old, young]) app.clock.advance('20m');
      expect([(await client.refresh()).status, (await retry.refresh()).status]).toEqual([200, 200]);
    }
    expect((await young.client().login(addressOf('ada'), PASSWORD)).status).toBe(200);
  });
});

describe('a signing key that is replaced at once, without keeping the old one,', () => {
  const replaced: Change = async () => [(await newKey('HS256')).settings, (await newKey('HS256')).settings];

  test('loses no mail', async () => {
    const servers = await start(replaced);
    await leaveMails(servers);
    expect(await servers[1].auth.outbox.deliver()).toBe(4);
  });

  test('resets no counter', async () => {
    const [old, young] = await start(replaced, { loginRateLimit: '2/15m/account', emailVerification: 'none' });
    expect(await guess([old], 2)).toEqual([401, 401]);
    expect(await guess([young], 1)).toEqual([429]);
  });
});

describe('a server that does not know the new encryption key yet', () => {
  const early: Change = async () => {
    const key = newEncryptionKey();
    return [{ encryptionKeys: key }, { encryptionKeys: `${newEncryptionKey()},${key}` }];
  };

  test('tries a mail that it cannot decrypt once, and leaves it to a server that can', async () => {
    const servers = await start(early);
    await leaveMails(servers);
    const [old, young] = servers;
    expect(await old.auth.outbox.deliver()).toBe(3);
    for (const minutes of [5, 15, 60]) {
      old.clock.advance(`${minutes}m`);
      expect(await old.auth.outbox.deliver()).toBe(0);
    }
    const unopened = old.log.filter(({ error }) => error === 'sealed_with_unknown_key');
    expect(unopened.map(({ message }) => message)).toEqual(['a mail could not be sent; it will be retried']);
    young.clock.advance('85m');
    expect(await young.auth.outbox.deliver()).toBe(1);
    expect(await waiting()).toBe(0);
  });
});

test('replacing an encryption key voids waiting challenges and mailed codes once, and no others', async () => {
  const [old, young] = [newEncryptionKey(), newEncryptionKey()];
  const first = await createMagicLinkApp({ encryptionKeys: old });
  const { recoveryCodes } = await enrol(first, await first.signedUp('ada@example.com'));
  const { email } = await createPerson(first);
  const startWith = (encryptionKeys: string) => createMagicLinkApp({ encryptionKeys }, { database: first.database });
  const steps = [
    [old, `${old},${young}`],
    [`${old},${young}`, `${young},${old}`],
    [`${young},${old}`, young],
  ] as const;
  const answers: (string | undefined)[][] = [];
  for (const [index, [before, after]] of steps.entries()) {
    const [asked, answering] = [await startWith(before), await startWith(after)];
    const [challenge, mail] = [await challenged(asked, 'ada@example.com'), await asked.mailed(email)];
    const byFactor = await verify(answering.client(), { challenge, recoveryCode: recoveryCodes[index] ?? '' });
    const byMail = await answering.verify({ request: mail.request, code: mail.code });
    answers.push([byFactor, byMail].map(({ status, body }) => (status === 200 ? 'signed in' : body.code)));
    await asked.close();
    await answering.close();
  }
  await first.close();
  const voided = ['challenge_not_valid', 'code_not_valid'];
  const works = ['signed in', 'signed in'];
  // The key with the lowest id counts: it changes when the new key is added, or when the old one is removed.
  expect([
    [voided, works, works],
    [works, works, voided],
  ]).toContainEqual(answers);
});
