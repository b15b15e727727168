import { randomUUID } from 'node:crypto';
import { MikroORM, type Options } from '@mikro-orm/postgresql';
import { Container } from 'typedi';
import { expect, test } from 'vitest';
import { createAuthEntities, createJwtAllauth, settingsFromEnv } from '../../src/index.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { runInProcess, SOURCE_ORM } from '../support/run-in-process.js';
import { faultOf } from '../support/setting-faults.js';
import { SECRET } from '../support/test-app.js';
import { AppUser, Organization } from '../support/users.js';

const SENTENCE = [
  'The URL of the database names several hosts, but the driver pg connects to one: use an address that always leads',
  'to the primary, such as that of a proxy or a pooler, or a DNS name that a failover changes',
].join(' ');

const URLS = [
  'postgresql://ada:p%40ss@db1.example.com:5432,db2.example.com:5432/app',
  'postgresql://ada:p%40ss@db1.example.com,db2.example.com/app?target_session_attrs=read-write',
  'postgresql://db1.example.com,db2.example.com:5433/app',
  'postgres://[::1]:5432,db2.example.com/app',
  'postgresql://ada@localhost/app?host=db1.example.com,db2.example.com',
  'postgresql://ada@localhost/app?connect_timeout=5&host=%2Ftmp%2Cdb2.example.com',
];

/** Starts the library without a database, and stops it. */
async function start(options: Options): Promise<void> {
  const entities = [AppUser, Organization, ...createAuthEntities({ user: () => AppUser })];
  const orm = await MikroORM.init({ entities, ...options });
  const settings = { secretKey: SECRET, encryptionKeys: ENCRYPTION_KEY };
  try {
    await (await createJwtAllauth({ orm, settings, container: Container.of(randomUUID()) })).close();
  } finally {
    await orm.close(true);
  }
}

test.each(URLS)('a start with the URL %s is refused, with what to use instead', async (clientUrl) => {
  await expect(start({ clientUrl })).rejects.toThrow(new TypeError(SENTENCE));
});

test('a start with a list of hosts in the option host is refused too', async () => {
  await expect(start({ host: 'db1.example.com,db2.example.com', dbName: 'app' })).rejects.toThrow(SENTENCE);
});

test.each([
  'postgresql://ada:a,b@127.0.0.1:1/app',
  'postgresql://ada:p@a,b@127.0.0.1:1/app',
  'postgresql://ada@127.0.0.1:1/a,b',
  'postgresql://ada@127.0.0.1:1/app?application_name=a,b',
  'postgresql://ada@%2Fvar%2Frun%2Fpostgresql:1/app',
])('a comma elsewhere in the URL is no list of hosts: %s', async (clientUrl) => {
  await start({ clientUrl });
});

test.each(URLS)('check fails for the URL %s with the same sentence', async (url) => {
  const env = {
    DATABASE_URL: url,
    JWT_ALLAUTH_SECRET_KEY: SECRET,
    JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY,
  };
  const { code, stdout } = await runInProcess(['check', '--json', '--orm', SOURCE_ORM], env);
  const { checks } = JSON.parse(stdout);
  expect([code, checks.at(-1)]).toEqual([1, { name: 'database', status: 'failed', message: SENTENCE }]);
});

test.each(URLS)('LISTEN_URL cannot be %s either', (url) => {
  const env = {
    JWT_ALLAUTH_SECRET_KEY: SECRET,
    JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY,
    JWT_ALLAUTH_LISTEN_URL: url,
  };
  expect(faultOf(() => settingsFromEnv(env))).toEqual({
    setting: 'JWT_ALLAUTH_LISTEN_URL',
    message: 'must be a URL with one host, such as postgresql://user:password@db.example.com:5432/app',
  });
});
