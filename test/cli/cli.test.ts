import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeError } from '../../src/cli/error-messages.js';
import { generateKeys } from '../../src/tokens/generate-keys.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { createOwner } from '../support/race.js';
import { ORM, runCli } from '../support/run-cli.js';
import { runInProcess, SOURCE_ORM } from '../support/run-in-process.js';
import { secrets } from '../support/secrets.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const SECRET = 'kUaJ3Yv0pZr8WqLx5Tn2Hc7Ds1Gb9Mf4EeRiOy6';

let app: TestApp;
let directory: string;
beforeAll(async () => {
  app = await createTestApp();
  directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-cli-'));
  secrets.add(SECRET, ENCRYPTION_KEY, 'a-password-in-a-text', 'another-password');
});
afterAll(async () => {
  await rm(directory, { recursive: true });
  await app.close();
});

const env = (more: Record<string, string> = {}) => ({
  DATABASE_URL: app.database.url,
  JWT_ALLAUTH_SECRET_KEY: SECRET,
  JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY,
  ...more,
});
const run = (args: string[], more?: Record<string, string>) =>
  runInProcess([...args, '--orm', SOURCE_ORM], env(more), directory);

/** A session of a new user that expired so many seconds ago. */
async function expired(secondsAgo: number) {
  const owner = await createOwner(app);
  const sql = 'update auth_session set expires_at = now() - make_interval(secs => $1) where user_id = $2';
  await app.database.pool.query(sql, [secondsAgo, owner.id]);
}

const count = async () =>
  (await app.database.pool.query('select count(*)::int as count from auth_session')).rows[0].count;

test('a command needs no mail server in production, sends no mails and leaves them to the servers', async () => {
  const production = { NODE_ENV: 'production', JWT_ALLAUTH_PUBLIC_URL: 'https://api.example.com' };
  await app.database.pool.query(
    `insert into auth_outbox_mail (id, recipient, content, attempts, next_attempt_at, expires_at)
     values (gen_random_uuid(), 'ada@example.com', '', 0, now(), now() + interval '1 day')`,
  );
  const { code, stdout } = await run(['purge'], production);
  expect([code, stdout]).toEqual([0, expect.not.stringContaining('ada@example.com')]);
  const { rows } = await app.database.pool.query('delete from auth_outbox_mail returning attempts');
  expect(rows).toEqual([{ attempts: 0 }]);
});

describe('help', () => {
  test.each<[command: string, contents: RegExp[]]>([
    ['', [/purge /, /sessions /, /generate-keys /, /check /]],
    ['purge', [/--dry-run/, /--batch-size <rows>/, /--orm <module\[#Export\]>/, /--env <file>/]],
    ['sessions', [/list /, /revoke /]],
    ['sessions list', [/--user <id or e-mail>/, /--json/, /--orm/, /--env/]],
    ['sessions revoke', [/--user <id or e-mail>/, /--session <id>/, /--orm/, /--env/]],
    ['generate-keys', [/--algorithm <name>/, /--out <folder>/, /--force/]],
    ['check', [/--json/, /--orm/, /--env/]],
  ])('of "%s" lists commands or options, without an app', async (command, contents) => {
    const { code, stdout, stderr } = await runInProcess([...command.split(' ').filter(Boolean), '--help']);
    expect([code, stderr]).toEqual([0, '']);
    for (const content of contents) expect(stdout).toMatch(content);
  });
});

test.each([
  [['--help'], 0],
  [['purg'], 2],
  [['purge', '--orm', '@app/nowhere'], 1],
])('the process of "%s" ends with exit code %i', async (args, expected) => {
  const { code, stdout, stderr } = await runCli(args, {}, directory);
  expect([code, stdout === '', stderr === '']).toEqual([expected, expected > 0, expected === 0]);
});

test.each([
  ['EROFS', 'read-only file system'],
  ['42P01', 'The database returned an error: read-only file system; `jwt-allauth check` may show why'],
])(
  'an error with the code %s is described by its message, and as a database error only if the code is an SQLSTATE',
  (code, text) => {
    expect(describeError(Object.assign(new Error('read-only file system'), { code }))).toBe(text);
  },
);

describe('an invalid command line', () => {
  test.each<[args: string, complaint: RegExp]>([
    ['', /^Usage: jwt-allauth/],
    ['purg', /unknown command 'purg'\n\(Did you mean purge\?\)/],
    ['purge --dry', /unknown option '--dry'/],
    ['purge --batch-size 0', /'--batch-size <rows>' argument '0' is invalid. It must be a whole number, at least 1/],
    ['purge --batch-size 1e3', /'1e3' is invalid/],
    ['purge all', /too many arguments/],
    ['sessions', /^Usage: jwt-allauth sessions/],
    ['sessions list', /required option '--user <id or e-mail>' not specified/],
    ['sessions revoke --session x', /required option '--user/],
    ['generate-keys --algorithm none', /Allowed choices are HS256, .*ES512/],
  ])('"%s" ends with exit code 2 and prints the reason on standard error', async (args, complaint) => {
    const { code, stdout, stderr } = await runInProcess(args.split(' ').filter(Boolean));
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(complaint);
  });
});

describe('the app', () => {
  test.each(['default', 'promised', 'make', 'makeLater', 'makeInstance', 'keepAlive'])(
    'may export its ORM as %s, and the command ends by itself',
    async (name) => {
      const result = await runCli(['purge', '--dry-run', '--orm', `${ORM}#${name}`], env(), directory);
      expect(result).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('sessions: 0') });
    },
  );

  test('may use the revocation list and sign with a key pair', async () => {
    const keys = await generateKeys('ES256');
    if (!('privateKey' in keys)) throw new Error('a secret for ES256');
    const { JWT_ALLAUTH_SECRET_KEY: _, ...variables } = env({
      JWT_ALLAUTH_ALGORITHM: 'ES256',
      JWT_ALLAUTH_PRIVATE_KEY: keys.privateKey,
      JWT_ALLAUTH_ACCESS_TOKEN_SESSION_CHECK: 'revocation-list',
    });
    const result = await runCli(['purge', '--dry-run', '--orm', ORM], variables, directory);
    expect(result).toMatchObject({ code: 0, stderr: '' });
  });

  test('is loaded from dist/mikro-orm.config.js in the working directory', async () => {
    const { code, stderr } = await runCli(['purge'], env(), directory);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^jwt-allauth: --orm names the module \.\/dist\/mikro-orm\.config\.js, which cannot be loaded/,
    );
  });

  test.each<[reference: string, complaint: RegExp]>([
    ['./nowhere.js', /names the module \.\/nowhere\.js, which cannot be loaded/],
    ['@app/nowhere', /names the module @app\/nowhere, which is not installed/],
    [`${SOURCE_ORM}#nobody`, /names nobody, but .* exports .*makeInstance/],
    [`${SOURCE_ORM}#text`, /names text, which is neither MikroORM options nor an instance/],
    [`${SOURCE_ORM}#nothing`, /names nothing, which is neither MikroORM options nor an instance/],
    [`${SOURCE_ORM}#fails`, /names fails, which fails: no answer from postgresql:\/\/\[redacted\]@/],
    [`${SOURCE_ORM}#failsLater`, /names failsLater, which fails: no answer from .* for \[redacted\]/],
    [`${SOURCE_ORM}#withoutEntities`, /names withoutEntities, from which no ORM can be created: (?!.*DATABASE_URL)/],
    [`${SOURCE_ORM}#withoutDatabase`, /no ORM can be created: .* \(Is DATABASE_URL not set\? Try --env \.env\)\n/],
    [`${SOURCE_ORM}#withoutOurs`, /The ORM does not know AuthSession: add \.\.\.createAuthEntities/],
  ])('that is given as %s is refused in one sentence', async (reference, complaint) => {
    for (const command of [['purge'], ['sessions', 'list', '--user', 'ada@example.com']]) {
      const { code, stdout, stderr } = await runInProcess([...command, '--orm', reference], env(), directory);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(complaint);
      expect(stderr).toMatch(/^jwt-allauth: [^\n]+\n$/);
      expect(stderr).not.toContain(new URL(app.database.url).password);
    }
  });

  test('has all its settings checked before the command does anything', async () => {
    await expired(86_400);
    const before = await count();
    const faults = { JWT_ALLAUTH_SECRET_KEY: 'too short', JWT_ALLAUTH_ACCESS_TOKEN_LIFETIME: 'soon' };
    const { code, stdout, stderr } = await run(['purge'], faults);
    expect([code, stdout, await count()]).toEqual([1, '', before]);
    expect(stderr).toMatch(/JWT_ALLAUTH_SECRET_KEY must .*\n/);
    expect(stderr).toMatch(/JWT_ALLAUTH_ACCESS_TOKEN_LIFETIME must be a duration/);
    expect(stderr).not.toMatch(/too short|soon|^ {4}at /m);
  });

  test.each<[what: string, url: (url: URL) => void, complaint: RegExp]>([
    [
      'is away',
      (url) => Object.assign(url, { port: '1' }),
      /^jwt-allauth: The database cannot be used: .*ECONNREFUSED.*\n$/,
    ],
    [
      'has another name',
      (url) => Object.assign(url, { pathname: '/nowhere' }),
      /^jwt-allauth: The database returned an error: database "nowhere" does not exist.*\n$/,
    ],
    [
      'has another password',
      (url) => Object.assign(url, { password: 'another-password' }),
      /^jwt-allauth: The database returned an error: password authentication failed.*\n$/,
    ],
  ])('with a database that %s ends with exit code 1 and one sentence', async (_, change, complaint) => {
    const url = new URL(app.database.url);
    change(url);
    for (const command of [['purge'], ['sessions', 'revoke', '--user', 'ada@example.com']]) {
      const { code, stdout, stderr } = await run(command, { DATABASE_URL: url.href });
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(complaint);
      expect(stderr).not.toContain(new URL(app.database.url).password);
    }
    const { rows } = await app.database.pool.query(`select 1 from pg_database where datname = 'nowhere'`);
    expect(rows).toEqual([]);
  });

  test('without the library’s tables gets the advice to run check', async () => {
    const url = new URL(app.database.url);
    url.pathname = '/postgres';
    const { code, stderr } = await run(['purge'], { DATABASE_URL: url.href });
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(
        /^jwt-allauth: The database returned an error: relation ".*auth_session" does not exist; .*check.*\n$/,
      ),
    ]);
  });

  test('may have its variables in a file; those of the process take precedence', async () => {
    const file = join(directory, 'app.env');
    await writeFile(
      file,
      `DATABASE_URL=${app.database.url}\nJWT_ALLAUTH_SECRET_KEY=${SECRET}\nJWT_ALLAUTH_ENCRYPTION_KEYS=${ENCRYPTION_KEY}\nJWT_ALLAUTH_ALGORITHM=none\n`,
    );
    const args = ['purge', '--dry-run', '--orm', ORM, '--env', file];
    expect((await runCli(args, {}, directory)).stderr).toContain('JWT_ALLAUTH_ALGORITHM must be one of');
    expect(await runCli(args, { JWT_ALLAUTH_ALGORITHM: 'HS256' }, directory)).toMatchObject({ code: 0, stderr: '' });
    const missing = await runCli(['purge', '--env', 'nowhere.env'], {}, directory);
    expect(missing).toEqual({
      code: 1,
      stdout: '',
      stderr: 'jwt-allauth: --env names the file nowhere.env, which does not exist\n',
    });
  });
});

describe('purge', () => {
  test('deletes expired rows and reports the number of each kind; with --dry-run it only reports', async () => {
    await app.database.pool.query('truncate auth_session, auth_revocation');
    for (const secondsAgo of [60, 7200]) await expired(secondsAgo);
    await createOwner(app);
    await app.database.pool.query(`insert into auth_revocation values (now() - interval '3 hours', gen_random_uuid())`);
    await app.database.pool.query(`insert into auth_counter values ('k', 1, now() - interval '1 second')`);

    const dry = await run(['purge', '--dry-run']);
    const counts = (verb: string) =>
      `sessions: 2 ${verb}\nrevocations: 1 ${verb}\ncounters: 1 ${verb}\n` +
      `one time keys: 0 ${verb}\nmails: 0 ${verb}\nsign ups: 0 ${verb}\nchallenges: 0 ${verb}\n`;
    expect(dry).toEqual({ code: 0, stdout: counts('would be deleted'), stderr: '' });
    expect(await count()).toBe(3);

    const progress = expect.stringMatching(/^(deleted so far: .*\n)*$/); // only on a slow machine
    expect(await run(['purge'])).toEqual({ code: 0, stdout: counts('deleted'), stderr: progress });
    expect(await count()).toBe(1);
    const { rows } = await app.database.pool.query('select count(*)::int as count from auth_revocation');
    expect(rows).toEqual([{ count: 1 }]); // the session that expired a minute ago
  });

  test('reports its progress once a second', async () => {
    const { id } = await createOwner(app);
    await app.database.pool.query(
      `insert into auth_session (id, user_id, jti, rotated_at, enabled, created_at, expires_at)
       select gen_random_uuid(), $1, gen_random_uuid(), now(), true, now(), now() - interval '1 day' from generate_series(1, 100)`,
      [id],
    );
    const began = performance.now();
    const { code, stdout, stderr } = await run(['purge', '--batch-size', '1']);
    const seconds = (performance.now() - began) / 1000;
    expect([code, stdout]).toEqual([0, expect.stringContaining('sessions: 100 deleted')]);
    const lines = stderr.split('\n').slice(0, -1);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.length).toBeLessThanOrEqual(seconds);
    for (const line of lines) {
      expect(line).toMatch(
        /^deleted so far: sessions \d+, revocations 0, counters 0, one time keys 0, mails 0, sign ups 0, challenges 0$/,
      );
    }
  });
});
