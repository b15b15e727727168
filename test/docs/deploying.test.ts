import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { parseEnv } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { freePort } from '../../src/testing/free-port.js';
import { COMPILE_CACHE } from '../support/compile-cache.js';
import { blocksOf, pages, rowsOf } from '../support/manual.js';
import { ManualApp } from '../support/manual-app.js';
import { runBuiltInProcess, runInProcess } from '../support/run-in-process.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { PASSWORD } from '../support/test-client.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { until } from '../support/until.js';

/** The URL of the database in docs/deploying.md, and the folder of the app there. */
const PRINTED_URL = 'postgresql://app:password@db.internal:5432/app';
const PRINTED_FOLDER = '/srv/app';

const WITH_VARIABLES = 'set -a; . ./variables.sh; set +a\n';
const PATH_WITH_NODE = [dirname(process.execPath), process.env['PATH']].join(delimiter);
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0';
const EMAIL = 'ada@example.com';

let database: TestDatabase;
let proxy: TcpProxy;
let app: ManualApp;
/** The URL of the database through the proxy. */
let databaseUrl: string;
beforeAll(async () => {
  database = await createTestDatabase();
  proxy = await TcpProxy.start();
  databaseUrl = proxy.urlOf(database.url);
  app = await ManualApp.build();
});
afterAll(async () => {
  await app.remove();
  await proxy.close();
  await database.drop();
});

/** Lines of the manual, with the changes that they need to run here. */
const asHere = (lines: string) => lines.replaceAll(PRINTED_URL, databaseUrl).replaceAll(PRINTED_FOLDER, app.directory);

/** The output of a command as the manual shows it: with its folder and URL, and without the parts that vary. */
function asPrinted(output: string): string {
  return output
    .replaceAll(app.directory, PRINTED_FOLDER)
    .replaceAll(databaseUrl, PRINTED_URL)
    .replace(/\b[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\b/g, '<id>')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<instant>')
    .replace(/\d+\.\d s (behind|ahead of) the/g, '0.0 s behind the')
    .replace(/PostgreSQL [\d.]+/g, 'PostgreSQL <version>');
}

const query = async (sql: string) => (await database.pool.query(sql)).rows;

describe('docs/deploying.md, from its first step to its last', () => {
  const [secrets = '', mails = '', migrate = '', start = ''] = blocksOf('deploying', 'sh');
  const [variables = '', withoutTables = '', afterwards = ''] = blocksOf('deploying', 'text');
  let child: ChildProcess;
  let url: string;
  let log: string;

  test('creates the secrets, readable only by their owner', async () => {
    expect(await app.shell(asHere(secrets))).toMatchObject({ code: 0, stdout: '' });
    expect(asPrinted(await readFile(join(app.directory, 'variables.sh'), 'utf8'))).toBe(variables);
    for (const file of ['variables.sh', 'secrets/secret-key', 'secrets/encryption-key']) {
      expect((await stat(join(app.directory, file))).mode & 0o077, file).toBe(0);
    }
  });

  test('quotes values so that a password may have characters of the shell', async () => {
    const password = 'p&a$s;s w';
    const lines = (secrets + mails)
      .replace('generate-keys', 'generate-keys --force')
      .replaceAll(':password@', `:${password}@`)
      .replaceAll('variables.sh', 'odd.sh');
    expect((await app.shell(lines)).code).toBe(0);
    const { stdout } = await app.shell(
      '. ./odd.sh; echo "$DATABASE_URL $JWT_ALLAUTH_SMTP_URL $JWT_ALLAUTH_EMAIL_FROM"',
    );
    expect(stdout).toBe(
      `${PRINTED_URL} smtps://user:password@mail.example.com Example <no-reply@example.com>\n`.replaceAll(
        ':password@',
        `:${password}@`,
      ),
    );
  });

  test('has the variables of mails, and a check warns without the mail server', async () => {
    const check = (lines: string) =>
      app.shell(`${WITH_VARIABLES}set -a; . ./mails.sh; npx jwt-allauth check --json${lines}`);
    await app.shell(mails.replaceAll('variables.sh', 'mails.sh'));
    const of = ({ stdout }: { stdout: string }) =>
      JSON.parse(stdout).checks.find(({ name }: { name: string }) => name === 'mails').status;
    expect(of(await check(' || true'))).toBe('ok');
    await app.shell("sed -i '/SMTP_URL/d' mails.sh");
    expect(of(await check(' || true'))).toBe('warning');
  });

  test('shows the failure of a check before the migrations', async () => {
    const { code, stdout } = await app.shell(`${WITH_VARIABLES}npx jwt-allauth check`);
    const failed = stdout.split('\n').filter((line) => line.startsWith('failed'));
    const [beginning = '', end = ''] = withoutTables.trim().split('…');
    expect([code, failed]).toEqual([1, [expect.stringContaining(beginning)]]);
    expect(failed[0]?.endsWith(end)).toBe(true);
  });

  test('migrates, and a check prints the output on the page', async () => {
    const { code, stdout, stderr } = await app.shell(migrate);
    expect([code, stderr]).toEqual([0, '']);
    const checked = stdout.split('\n').filter((line) => /^(warning|failed) /.test(line));
    expect(`${checked.join('\n')}\n`).toBe(afterwards);
    const tables = (await query(`select tablename from pg_tables where tablename like 'auth_%'`)).map(
      ({ tablename }) => tablename,
    );
    const named = (pages.get('docs/deploying.md') ?? '').match(/`auth_\w+`/g) ?? [];
    expect(new Set(named.map((name) => name.slice(1, -1)))).toEqual(new Set(tables));
    // Nothing is left for `schema.update`, and nothing was written into the folder.
    const program = `
      import { MikroORM } from '@mikro-orm/postgresql';
      import config from './dist/mikro-orm.config.js';
      const orm = await MikroORM.init(config);
      console.log(JSON.stringify(await orm.schema.getUpdateSchemaSQL()));
      await orm.close();`;
    expect(
      (await app.shell(`${WITH_VARIABLES}node --input-type=module -e "$PROGRAM"`, { PROGRAM: program })).stdout,
    ).toBe('""\n');
    expect((await app.shell('ls -A')).stdout).not.toContain('snapshot');
  });

  test('migrates again without a change, and its alternative leaves the same room in pages', async () => {
    const options = async () => (await query(`select reloptions from pg_class where relname = 'auth_session'`))[0];
    const before = await options();
    expect(before).toEqual({ reloptions: ['fillfactor=75'] });
    expect((await app.shell(`${WITH_VARIABLES}node dist/migrate.js`)).code).toBe(0);
    await query('alter table auth_session reset (fillfactor)');
    await query(blocksOf('operating', 'sql')[0] ?? '');
    expect(await options()).toEqual(before);
  });

  test('starts, and identifies clients by the address that the proxy forwards', async () => {
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const env = { ...COMPILE_CACHE, PORT: String(port), JWT_ALLAUTH_COLLECT_USER_AGENT: 'true', PATH: PATH_WITH_NODE };
    await proxy.setDoor('closed'); // it prints `listening` all the same
    child = spawn('sh', ['-ec', start], { cwd: app.directory, env, stdio: ['ignore', 'pipe', 'pipe'] });
    log = '';
    child.stderr?.on('data', (text) => {
      log += text;
    });
    const [said] = await once(child.stdout as NonNullable<typeof child.stdout>, 'data');
    expect(String(said)).toBe('listening\n');
    await proxy.setDoor('open');
    const signedUp = await fetch(`${url}/auth/registration`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'User-Agent': FIREFOX, 'X-Forwarded-For': '203.0.113.7' },
      body: JSON.stringify({ email: EMAIL, password: PASSWORD }),
    });
    expect(signedUp.headers.getSetCookie().join()).toMatch(/^__Host-refresh_token=.*Secure/);
    expect(await query('select ip from auth_session')).toEqual([{ ip: '203.0.113.7' }]);
  });

  test('is healthy while its database is reachable', async () => {
    const health = async () => (await fetch(`${url}/health`)).status;
    expect(await health()).toBe(200);
    await proxy.setDoor('closed');
    log = '';
    expect(await health()).toBe(503);
    const [line = ''] = blocksOf('operating', 'text');
    await until(() => log.includes(line.split('…')[0] ?? ''));
    await proxy.setDoor('open');
    await until(async () => (await health()) === 200);
  });

  test('after SIGTERM is not healthy, finishes the current request, accepts no new one, and exits by itself', async () => {
    const body = JSON.stringify({ email: EMAIL, password: PASSWORD });
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    let answer = '';
    socket.setEncoding('utf8').on('data', (text) => {
      answer += text;
    });
    const head = ['POST /auth/login HTTP/1.1', 'Host: app', 'Content-Type: application/json', 'Expect: 100-continue'];
    socket.write(`${[...head, `Content-Length: ${body.length}`].join('\r\n')}\r\n\r\n`);
    await until(() => answer.includes('100 Continue')); // the server has begun to read the request
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const health = () => fetch(`${url}/health`).catch(() => undefined);
    await until(async () => (await health())?.status === 503);
    expect(await (await health())?.json()).toEqual({ status: 'stopping' });
    await until(async () => !(await health()));
    socket.write(body);
    expect(await ended).toEqual([0, null]);
    expect(answer).toMatch(/HTTP\/1\.1 200 OK/);
  });

  test.each([
    [
      'closes the WebSockets after the server has stopped accepting connections, and ends with exit code 0',
      'console.log(server.listening); socket.end();',
      'false\n',
      0,
    ],
    ['ends with exit code 1 after its time limit if a WebSocket stays open', '', '', 1],
  ])('%s', async (_what, closeSockets, said, code) => {
    const program = `
      import { createServer } from 'node:http';
      import { connect } from 'node:net';
      import 'reflect-metadata';
      import { Container } from 'typedi';
      import { HealthController } from './health.controller.js';
      import { stop } from './quick-stop.js';
      Container.set(HealthController, new HealthController());
      let socket;
      const server = createServer().on('upgrade', (_, upgraded) => {
        socket = upgraded;
        socket.resume().write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\n');
      });
      server.listen(0, '127.0.0.1', () => {
        const client = connect(server.address().port, '127.0.0.1');
        client.write('GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\n');
        client.once('data', () => stop(server, async () => {}, () => { ${closeSockets} }));
      });`;
    const quick = (await readFile(join(app.directory, 'dist/stop.js'), 'utf8'))
      .replace(/\b5_?000\b/, '50')
      .replace(/\b25_?000\b/, '1000');
    await writeFile(join(app.directory, 'dist/quick-stop.js'), quick);
    await writeFile(join(app.directory, 'dist/try-stop.js'), program);
    expect(await app.shell('node dist/try-stop.js')).toEqual({ code, stdout: said, stderr: '' });
  });

  test('purges with the line for cron', async () => {
    const [line = ''] = blocksOf('deploying', 'crontab');
    const [, command = ''] = /^(?:[\d*]+ +){5}(.*)$/m.exec(line) ?? [];
    const [owner] = await query('select id from "user"');
    await database.pool.query(
      `insert into auth_session (id, user_id, jti, rotated_at, created_at, expires_at)
       values (gen_random_uuid(), $1, gen_random_uuid(), now(), now(), now() - interval '1 day')`,
      [owner.id],
    );
    const before = await query('select count(*)::int as count from auth_session');
    expect(await app.shell(asHere(command))).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await readFile(join(app.directory, 'purge.log'), 'utf8')).toContain('sessions: 1 deleted\n');
    expect(await query('select count(*)::int as count from auth_session')).toEqual([{ count: before[0].count - 1 }]);
  });

  test('purges from a scheduler of the app', async () => {
    const { purgeNightly } = await import(join(app.directory, 'dist/nightly.js'));
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    await purgeNightly({ purge: { run: async () => ({ sessions: 3 }) } });
    expect(log.mock.calls).toEqual([['3 expired sessions deleted']]);
    log.mockRestore();
  });

  test('limits the duration of its statements, in the database as well', async () => {
    const program = `
      import { MikroORM } from '@mikro-orm/postgresql';
      import config from './dist/production.config.js';
      const orm = await MikroORM.init(config);
      console.log(JSON.stringify(await orm.em.execute('show statement_timeout')));
      await orm.close();`;
    const { stdout } = await app.shell(`${WITH_VARIABLES}node --input-type=module -e "$PROGRAM"`, { PROGRAM: program });
    expect(JSON.parse(stdout)).toEqual([{ statement_timeout: '10s' }]);
  });
});

describe('docs/command-line.md', () => {
  const page = pages.get('docs/command-line.md') ?? '';
  const sections = new Map(
    page.split(/^## /m).map((section) => [section.split('\n')[0] ?? '', section.slice(section.indexOf('\n'))]),
  );

  /** Runs a command with the variables of the app, in this process. The steps of docs/deploying.md use the shell. */
  async function runAsNpx(command: string) {
    const [, args = ''] = /^npx jwt-allauth ([\w@. -]+)$/.exec(command) ?? [];
    expect(args, command).not.toBe('');
    variables ??= parseEnv((await app.shell(`${WITH_VARIABLES}env`)).stdout) as Record<string, string>;
    return runBuiltInProcess(args.split(' '), variables, app.directory);
  }
  let variables: Record<string, string> | undefined;

  const examples = blocksOf('command-line', 'console').map((block) => [block.split('\n')[0], block]);
  test.each(examples)('has the real output of: %s', async (_first, block = '') => {
    await app.shell('touch .env');
    await query('delete from auth_session where expires_at < now() or browser is null');
    const [owner] = await query('select id from "user"');
    await database.pool.query(
      `insert into auth_session (id, user_id, jti, rotated_at, created_at, expires_at)
       values (gen_random_uuid(), $1, gen_random_uuid(), now(), now(), now() - interval '1 day')`,
      [owner.id],
    );
    for (const [, command = '', printed = ''] of block.matchAll(/^\$ (.*)\n((?:(?!\$ ).*\n)*)/gm)) {
      const { output } = await runAsNpx(command);
      expect(asPrinted(output), command).toBe(asPrinted(printed));
    }
  });

  /** What a command prints about itself. */
  async function helpOf(command: string): Promise<string> {
    const args = command ? command.split(' ') : [];
    const { code, stdout } = await runInProcess([...args, '--help']);
    expect(code).toBe(0);
    return stdout;
  }

  test('has exactly the existing commands', async () => {
    const named = [...page.matchAll(/^\| \[`([^`]+)`\]/gm)].map(([, name = '']) => name);
    const stdout = (await helpOf('')) + (await helpOf('sessions'));
    const commands = [...stdout.matchAll(/^ {2}([a-z-]+) (?:\[options\])? /gm)].map(([, name = '']) => name);
    const groups = ['sessions', 'help'];
    const full = commands.map((name) => (['list', 'revoke'].includes(name) ? `sessions ${name}` : name));
    expect(named.sort()).toEqual(full.filter((name) => !groups.includes(name)).sort());
  });

  test.each([
    ['check', 'check'],
    ['purge', 'purge'],
    ['sessions', 'sessions list'],
    ['sessions', 'sessions revoke'],
    ['generate-keys', 'generate-keys'],
  ])('has in its section "%s" every option of `%s`', async (section, command) => {
    const stdout = await helpOf(command);
    const ofProject = page.slice(0, page.indexOf('\n## '));
    const text = ofProject + sections.get(section);
    for (const [option] of stdout.matchAll(/--[a-z-]+(?: <[^>]+>)?(?= {2}|\n)/g)) {
      if (option !== '--help') expect(text, option).toContain(`\`${option}\``);
    }
    const options = [...text.matchAll(/^\| `(--[a-z-]+)[^|]*\|([^|]*)\|/gm)];
    const others = (await helpOf('sessions list')) + (await helpOf('sessions revoke'));
    for (const [, option = '', initial = ''] of options) {
      const isProject = ['--orm', '--env'].includes(option) && section === 'generate-keys';
      if (!isProject) expect(stdout + (section === 'sessions' ? others : ''), option).toContain(option);
      const [, value = ''] = /^ `(.+)` $/.exec(initial) ?? [];
      if (value && !isProject && section !== 'sessions')
        expect(stdout.replace(/\s+/g, ' ')).toMatch(new RegExp(`default: "?${value}"?\\)`));
    }
  });

  test('has a row for each check', async () => {
    const { stdout } = await runAsNpx('npx jwt-allauth check --json');
    const names = JSON.parse(stdout).checks.map(({ name }: { name: string }) => name);
    const rows = [...(sections.get('check') ?? '').matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name);
    expect(rows).toEqual(names);
  });

  test.each([
    [0, 'check'],
    [1, 'sessions list --user nobody@example.com'],
    [2, 'purg'],
    [2, 'sessions list'],
  ])('has the exit code %i of `%s`', async (code, command) => {
    expect(rowsOf('command-line').length).toBeGreaterThan(20);
    expect((await runAsNpx(`npx jwt-allauth ${command}`)).code).toBe(code);
    expect(page).toMatch(new RegExp(`^\\| ${code} \\|`, 'm'));
  });
});

test('the servers in docs/scaling.md and docs/openapi.md answer requests', async () => {
  const program = `
    import 'reflect-metadata';
    import { MikroORM } from '@mikro-orm/postgresql';
    import { createJwtAllauth, settingsFromEnv } from 'jwt-allauth';
    import { useContainer } from 'routing-controllers';
    import { Container } from 'typedi';
    import config from './dist/mikro-orm.config.js';
    import { createFastServer } from './dist/fast-server.js';
    import { createDescribedServer } from './dist/described-server.js';
    const orm = await MikroORM.init(config);
    useContainer(Container);
    const auth = await createJwtAllauth({ orm, settings: settingsFromEnv(process.env) });
    const ask = async (app, path, init) => {
      const server = await new Promise((done) => { const one = app.listen(0, '127.0.0.1', () => done(one)); });
      const answer = await fetch('http://127.0.0.1:' + server.address().port + path, init);
      const body = await answer.json();
      server.close();
      const { info, code } = body;
      return { status: answer.status, info, code, etag: answer.headers.has('etag') };
    };
    const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"email":1}' };
    const answers = [
      await ask(createDescribedServer(auth), '/openapi.json'),
      await ask(createFastServer(auth), '/auth/login', init),
      await ask(createFastServer(auth), '/profile/id'),
    ];
    console.log(JSON.stringify(answers));
    await auth.close();
    await orm.close();`;
  const { stdout } = await app.shell(`${WITH_VARIABLES}node --input-type=module -e "$PROGRAM"`, { PROGRAM: program });
  expect(JSON.parse(stdout)).toEqual([
    { status: 200, info: { title: 'Profiles', version: '1.0.0' }, etag: true },
    { status: 400, code: 'validation_failed', etag: false },
    { status: 401, code: 'not_authenticated', etag: false },
  ]);
});
