import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { COMPILE_CACHE } from '../support/compile-cache.js';
import { BCRYPT, ManualApp } from '../support/manual-app.js';
import { runBuiltInProcess } from '../support/run-in-process.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(join(ROOT, 'docs/existing-users.md'), 'utf8');

/** The statements of the page, one block after the other. */
const [table = '', doubles = '', normal = ''] = [...page.matchAll(/```sql\n([^`]+)```/g)].map(([, sql = '']) => sql);

/** The statement for large tables, which runs alone. */
const [, concurrently] = /`(create unique index concurrently [^`]+)`/.exec(page) ?? [];

let manualApp: ManualApp;
let directory: string;
let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  manualApp = await ManualApp.build();
  directory = manualApp.directory;
});
afterAll(async () => {
  await database?.drop();
  await manualApp?.remove();
});

/** Runs a program in the app of the manual, and gives its last line, which is JSON. */
async function runInApp(name: string, program: string): Promise<unknown> {
  await writeFile(join(directory, 'dist', name), program);
  const { stdout } = await run(process.execPath, [`dist/${name}`], {
    cwd: directory,
    env: { ...COMPILE_CACHE, ...variables() },
  });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}

function variables() {
  return {
    DATABASE_URL: database.url,
    JWT_ALLAUTH_SECRET_KEY: randomBytes(48).toString('base64'),
    JWT_ALLAUTH_ENCRYPTION_KEYS: randomBytes(32).toString('base64'),
    JWT_ALLAUTH_SESSION_LIFETIME: '90d',
  };
}

interface Finding {
  readonly name: string;
  readonly status: string;
}

/** What `check` finds about this table. */
async function check(): Promise<Finding[]> {
  const args = ['check', '--json', '--orm', './dist/members.config.js'];
  const { stdout } = await runBuiltInProcess(args, variables(), directory);
  return JSON.parse(stdout).checks;
}

/** The findings that are not ok: name to status. */
async function findings(): Promise<Record<string, string>> {
  const bad = (await check()).filter(({ status }) => status !== 'ok');
  return Object.fromEntries(bad.map(({ name, status }) => [name, status]));
}

test('the steps of the page lead from an existing table to an app in which its users sign in', async () => {
  const { pool } = database;
  await pool.query(table);
  await pool.query('create table orders (id int)');
  await pool.query(
    `insert into members (mail, pw, given_name, is_admin, confirmed) values
      (' Ada@Example.com', $1, 'Ada', true, true), ('grace@example.com', $1, 'Grace', false, false)`,
    [BCRYPT.hash],
  );
  await writeFile(
    join(directory, 'dist/members.config.js'),
    `import { createAuthEntities } from 'jwt-allauth';
    import { Member } from './existing-member.entity.js';
    const entities = [Member, ...createAuthEntities({ user: () => Member })];
    export default { clientUrl: process.env.DATABASE_URL, entities };`,
  );

  const dangerous = await runInApp(
    'try-update.js',
    `import 'reflect-metadata';
    import { MikroORM } from '@mikro-orm/postgresql';
    import config from './members.config.js';
    const orm = await MikroORM.init(config);
    const updates = [await orm.schema.getUpdateSchemaSQL(), await orm.schema.getUpdateSchemaSQL({ safe: true })];
    console.log(JSON.stringify(updates));
    await orm.close();`,
  );
  expect(dangerous).toEqual([
    expect.stringMatching(/drop table if exists "orders"[\s\S]*rename column "newsletter" to "is_active"/),
    expect.stringMatching(/^(?![\s\S]*\bdrop (table|column))[\s\S]*rename column "newsletter" to "is_active"/),
  ]);

  expect(await findings()).toMatchObject({ tables: 'failed' });
  await runInApp(
    'try-migrate.js',
    `import 'reflect-metadata';
    import { Migrator } from '@mikro-orm/migrations';
    import { MikroORM } from '@mikro-orm/postgresql';
    import { authMigrations } from 'jwt-allauth';
    import { AdoptMembers } from './adopt-members.migration.js';
    import config from './members.config.js';
    const migrationsList = [{ name: 'AdoptMembers', class: AdoptMembers }, ...authMigrations()];
    const migrations = { migrationsList, snapshot: false };
    const orm = await MikroORM.init({ ...config, extensions: [Migrator], migrations });
    await orm.migrator.up();
    await orm.close();
    console.log('{}');`,
  );
  expect(await findings()).toEqual({
    addresses: 'failed',
    'address-index': 'failed',
    columns: 'failed',
    hashes: 'warning',
    verification: 'warning',
  });
  await pool.query(`insert into members (mail) values ('ADA@example.com')`);
  expect((await pool.query(doubles)).rows).toEqual([{ members: [1, 3], mailbox: 'ada@example.com' }]);
  expect(await findings()).toMatchObject({ 'address-doubles': 'failed' });
  await expect(pool.query(normal)).rejects.toThrow('members_mail_unique');
  await pool.query('rollback');
  await pool.query('delete from members where member_no = 3');
  await pool.query(normal);
  expect(concurrently).toBeDefined();
  await pool.query('drop index members_mail_unique');
  await pool.query(concurrently ?? '');
  expect(await findings()).toEqual({ hashes: 'warning', verification: 'warning' });
  const names = (await check()).map(({ name }) => name);
  const explained = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name);
  expect(explained).toHaveLength(8);
  expect(names).toEqual(expect.arrayContaining(explained));

  const answers = await runInApp(
    'try-members.js',
    `import 'reflect-metadata';
    import { MikroORM } from '@mikro-orm/postgresql';
    import { createJwtAllauth } from 'jwt-allauth';
    import { CollectedMails, TestClock } from 'jwt-allauth/testing';
    import { createExpressServer, useContainer } from 'routing-controllers';
    import { Container } from 'typedi';
    import { legacyPasswords } from './legacy-passwords.js';
    import config from './members.config.js';
    import { ProfileController } from './profile.controller.js';
    useContainer(Container);
    const orm = await MikroORM.init(config);
    const mailer = new (class extends CollectedMails {})();
    const auth = await createJwtAllauth({ orm, legacyPasswords, mailer, clock: new TestClock(), settings: {
      secretKey: process.env.JWT_ALLAUTH_SECRET_KEY, development: true,
      emailVerification: 'mandatory', publicUrl: 'http://members.test',
    } });
    const server = createExpressServer(auth.serverOptions({ controllers: [ProfileController] })).listen(0);
    const url = 'http://127.0.0.1:' + server.address().port;
    const post = async (path, body, headers = {}) => {
      const answer = await fetch(url + path,
        { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) });
      return { status: answer.status, cookie: answer.headers.getSetCookie()[0]?.split(';')[0],
        ...(await answer.json().catch(() => ({}))) };
    };
    const login = (email, password = '${BCRYPT.password}') => post('/auth/login', { email, password });
    const wrong = await login('ada@example.com', 'another sentence');
    const ada = await login('ADA@example.com');
    const { access } = await post('/auth/refresh', undefined, { cookie: ada.cookie });
    const staff = await post('/profile/publish', undefined, { authorization: 'Bearer ' + access });
    const again = await login('ada@example.com');
    const grace = await login('grace@example.com');
    const resent = await post('/auth/registration/verification/resend', { email: 'grace@example.com' });
    await mailer.linkTo('grace@example.com');
    const taken = await post('/auth/registration', { email: 'Grace@Example.com', password: 'a long sentence' });
    const added = await post('/auth/registration', { email: 'Joan@Example.com', password: 'a long sentence' });
    await mailer.to('grace@example.com', 2);
    const link = (await mailer.linkTo('joan@example.com')).replace('http://members.test', url);
    await fetch(link, { redirect: 'manual' });
    const joan = await login('joan@example.com', 'a long sentence');
    console.log(JSON.stringify({ wrong: wrong.code, ada: ada.status, staff, again: again.status, grace: grace.code,
      resent: resent.status, taken: taken.status, added: added.status, joan: joan.status,
      sub: JSON.parse(Buffer.from(access.split('.')[1], 'base64url')) }));
    server.close();
    await auth.close();
    await orm.close();`,
  );
  expect(answers).toMatchObject({
    wrong: 'incorrect_credentials',
    ada: 200,
    staff: { status: 200, published: true },
    again: 200,
    grace: 'email_not_verified',
    resent: 202,
    taken: 201,
    added: 201,
    joan: 200,
    sub: { sub: '1', role: 1000, email_verified: true },
  });
  const { rows } = await pool.query('select mail, left(pw, 9) as pw, is_admin, newsletter from members order by 1');
  expect(rows).toEqual([
    { mail: 'ada@example.com', pw: '$argon2id', is_admin: true, newsletter: true },
    { mail: 'grace@example.com', pw: BCRYPT.hash.slice(0, 9), is_admin: false, newsletter: true },
    { mail: 'joan@example.com', pw: '$argon2id', is_admin: false, newsletter: true },
  ]);
});
