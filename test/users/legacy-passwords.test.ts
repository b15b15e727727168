import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto';
import { hash as hashWithArgon2 } from '@node-rs/argon2';
import { afterEach, expect, test, vi } from 'vitest';
import { type LegacyPasswords, type Logger, PasswordHasher } from '../../src/index.js';
import { expectProblem } from '../support/expect-problem.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';

/** The hashes for which the real library computed argon2. */
const computed = vi.hoisted((): string[] => []);
vi.mock('@node-rs/argon2', async (original) => {
  const argon2 = await original<typeof import('@node-rs/argon2')>();
  const verify: typeof argon2.verify = (passwordHash, ...rest) => {
    computed.push(String(passwordHash));
    return argon2.verify(passwordHash, ...rest);
  };
  return { ...argon2, verify };
});

const OLD = 'a long sentence of old';
const EMAIL = 'old@example.com';
let app: TestApp;
afterEach(() => app?.close());

/** Stores passwords like the app before the migration. */
function scryptHash(password: string, salt = randomBytes(16)): string {
  return `$scrypt$${salt.toString('base64url')}$${scryptSync(password, salt, 32).toString('base64url')}`;
}

/** Checks scrypt, and records the hashes that it receives. */
function scryptPasswords(): { legacyPasswords: LegacyPasswords; asked: string[] } {
  const asked: string[] = [];
  const verify = (passwordHash: string, password: string) => {
    asked.push(passwordHash);
    const [, kind, salt = '', hash = ''] = passwordHash.split('$');
    if (kind !== 'scrypt') return false;
    return timingSafeEqual(scryptSync(password, Buffer.from(salt, 'base64url'), 32), Buffer.from(hash, 'base64url'));
  };
  return { legacyPasswords: { verify }, asked };
}

const hashOf = async () => (await app.database.pool.query('select password_hash as h from app_user')).rows[0].h;
const setHash = (passwordHash: string) =>
  app.database.pool.query('update app_user set password_hash = $1', [passwordHash]);

/** An app with one user, who has this hash. */
async function appWith(legacyPasswords: LegacyPasswords | undefined, passwordHash: string): Promise<void> {
  app = await createTestApp({ auth: { legacyPasswords } });
  await app.signedUp(EMAIL);
  await setHash(passwordHash);
}

test('a correct password of an older system signs in and is hashed again; afterwards the old check is not called', async () => {
  const { legacyPasswords, asked } = scryptPasswords();
  const old = scryptHash(OLD);
  await appWith(legacyPasswords, old);
  expectProblem(await app.client().login(EMAIL, 'another sentence'), 401, 'incorrect_credentials');
  expect(await hashOf()).toBe(old);
  const client = app.client();
  expect((await client.login(EMAIL, OLD)).status).toBe(200);
  expect(await hashOf()).toMatch(/^\$argon2id\$/);
  expect((await client.refresh()).status).toBe(200);
  expect(asked).toEqual([old, old]);
  expect((await app.client().login(EMAIL, OLD)).status).toBe(200);
  expect((await app.client().login(EMAIL, 'another sentence')).status).toBe(401);
  expect(asked).toHaveLength(2);
  expect((await app.database.pool.query('select credential_epoch from auth_account')).rows).toEqual([
    { credential_epoch: 0 },
  ]);
});

test('an argon2i password signs in although the check of older hashes does not know it, and is hashed again', async () => {
  const { legacyPasswords, asked } = scryptPasswords();
  const older = await hashWithArgon2(PASSWORD, { algorithm: 1, memoryCost: 4096, timeCost: 2, parallelism: 1 });
  await appWith(legacyPasswords, older);
  expectProblem(await app.client().login(EMAIL, OLD), 401, 'incorrect_credentials');
  expect(await hashOf()).toBe(older);
  expect((await app.client().login(EMAIL)).status).toBe(200);
  expect(await hashOf()).toMatch(/^\$argon2id\$/);
  expect((await app.client().login(EMAIL)).status).toBe(200);
  expect(asked).toEqual([older, older]);
});

test('two first sign-ins at the same moment both succeed, and one hash stays', async () => {
  await appWith(scryptPasswords().legacyPasswords, scryptHash(OLD));
  const answers = await Promise.all([app.client().login(EMAIL, OLD), app.client().login(EMAIL, OLD)]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  expect((await app.client().login(EMAIL, OLD)).status).toBe(200);
});

test('a signed-in user can change a password of the older system, and delete the account with one', async () => {
  app = await createTestApp({ auth: { legacyPasswords: scryptPasswords().legacyPasswords } });
  const client = await app.signedUp(EMAIL);
  await setHash(scryptHash(OLD));
  expectProblem(await client.changePassword('another sentence', PASSWORD), 401, 'incorrect_credentials');
  expect((await client.changePassword(OLD, PASSWORD)).status).toBe(200);
  await setHash(scryptHash(OLD));
  const leave = (password: string) => client.send('DELETE', '/auth/user', { password }, client.bearer);
  expectProblem(await leave('another sentence'), 401, 'incorrect_credentials');
  expect((await leave(OLD)).status).toBe(204);
});

test.each([
  '',
  'no hash',
  '$2b$10$abc',
  '$argon2id$',
  '$argon2i$',
  '$argon2d$v=19$m=1',
  '$argon2id$v=19$m=1',
  '\u0000'.replace('\u0000', '%00'),
  OLD,
])('the hash %j, of an unknown form, never matches and never causes an error', async (unknown) => {
  const { legacyPasswords } = scryptPasswords();
  for (const given of [undefined, legacyPasswords]) {
    await appWith(given, unknown);
    for (const password of [OLD, unknown || 'x', '']) {
      expectProblem(await app.client().login(EMAIL, password), 401, 'incorrect_credentials');
    }
    expect([await hashOf(), app.log]).toEqual([unknown, []]);
    await app.close();
  }
});

test.each<[what: string, verify: (hash: string, password: string) => unknown]>([
  [
    'throws',
    (hash, password) => {
      throw new SyntaxError(`${hash} ${password}`);
    },
  ],
  [
    'rejects',
    async (hash, password) => {
      throw new SyntaxError(`${hash} ${password}`);
    },
  ],
])('a check that %s counts as a wrong password, and the log shows neither hash nor password', async (_what, verify) => {
  const old = scryptHash(OLD);
  await appWith({ verify: verify as LegacyPasswords['verify'] }, old);
  expectProblem(await app.client().login(EMAIL, OLD), 401, 'incorrect_credentials');
  expect(app.log).toMatchObject([{ level: 'error', reason: 'SyntaxError' }]);
  expect(JSON.stringify(app.log)).not.toMatch(/scrypt|long sentence/);
});

test.each([1, 'yes', {}, null, undefined])('a check that returns %j refuses the password', async (answer) => {
  await appWith({ verify: () => answer as never }, scryptHash(OLD));
  expectProblem(await app.client().login(EMAIL, OLD), 401, 'incorrect_credentials');
});

test('the check is never called for argon2id, for a user without a password, or for an unknown address', async () => {
  const { legacyPasswords, asked } = scryptPasswords();
  app = await createTestApp({ auth: { legacyPasswords } });
  await app.signedUp(EMAIL);
  expect((await app.client().login(EMAIL)).status).toBe(200);
  expect((await app.client().login(EMAIL, OLD)).status).toBe(401);
  expect((await app.client().login('nobody@example.com', OLD)).status).toBe(401);
  await app.database.pool.query('update app_user set password_hash = null');
  expect((await app.client().login(EMAIL, OLD)).status).toBe(401);
  expect((await app.client().login(EMAIL, 'x'.repeat(1001))).status).toBe(401);
  expect(asked).toEqual([]);
});

test('a hash of an unknown form costs one computation of argon2, like an unknown address', async () => {
  const hasher = new PasswordHasher(scryptPasswords());
  for (const passwordHash of [undefined, '$2b$10$abc', 'no hash']) {
    computed.length = 0;
    expect(await hasher.verify(passwordHash, OLD)).toBe(false);
    expect(computed).toEqual([expect.stringMatching(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)]);
  }
});

test.each([1, 2])(
  'a cheap hash (algorithm %j) costs the computation of an unknown address as well',
  async (algorithm) => {
    const cheap = await hashWithArgon2(PASSWORD, { algorithm, memoryCost: 1024, timeCost: 2, parallelism: 1 });
    for (const hasher of [new PasswordHasher(scryptPasswords()), new PasswordHasher()]) {
      for (const [password, isRight] of [
        [PASSWORD, true],
        [OLD, false],
      ] as const) {
        computed.length = 0;
        expect(await hasher.verify(cheap, password)).toBe(isRight);
        expect(computed).toHaveLength(2);
        expect(computed).toEqual(
          expect.arrayContaining([cheap, expect.stringMatching(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)]),
        );
      }
    }
  },
);

test('a check that never ends counts as wrong after ten seconds, and delays no other check', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const log: unknown[] = [];
  const logger = { warn: () => {}, error: (fields: object) => log.push(fields), info: () => {} } as unknown as Logger;
  const verify = (hash: string) => (hash === 'slow' ? new Promise<boolean>(() => {}) : true);
  const hasher = new PasswordHasher({ legacyPasswords: { verify }, logger });
  const slow = ['slow', 'slow', 'slow', 'slow'].map((hash) => hasher.verify(hash, OLD));
  const other = hasher.verify('quick', OLD);
  while (log.length < 4) await vi.advanceTimersByTimeAsync(1000);
  expect(await Promise.all([...slow, other])).toEqual([false, false, false, false, true]);
  expect(log).toEqual(Array(4).fill({ reason: 'TimeoutError' }));
  vi.useRealTimers();
});
