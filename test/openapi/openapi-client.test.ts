import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { startDemo } from '../browser/demo-process.js';
import { OrdersController, StaffController } from '../support/documented.controllers.js';
import { documentOf } from '../support/documented-app.js';
import { CLIENT_PROGRAM, DEMO_PROGRAM } from '../support/openapi-client-program.js';
import { createTestApp } from '../support/test-app.js';
import { createTestDatabase } from '../support/test-database.js';

const run = promisify(execFile);
const MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));

/** The packages that a program may import, and their paths. */
const PACKAGES: readonly (readonly [string, string])[] = [
  ['jwt-allauth', dirname(MODULES)],
  ['openapi-fetch', join(MODULES, 'openapi-fetch')],
  ['openapi-typescript-helpers', join(MODULES, 'openapi-typescript-helpers')],
  ['@types/node', join(MODULES, '@types/node')],
];
const controllers = [OrdersController, StaffController];

/** openapi-typescript needs the compiler API, which TypeScript 7 does not have. */
const HOOK = `
import { registerHooks } from 'node:module';
registerHooks({
  resolve: (specifier, context, next) => next(specifier === 'typescript' ? 'typescript5' : specifier, context),
});
`;

const TSCONFIG = {
  compilerOptions: {
    target: 'es2023',
    module: 'nodenext',
    types: ['node'],
    lib: ['es2023', 'dom'],
    strict: true,
    noUncheckedIndexedAccess: true,
    rootDir: '.',
    outDir: 'dist',
  },
};

describe('a client program compiled against types from the document', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-openapi-'));
    onTestFinished(() => rm(directory, { recursive: true })); // after the demo, which runs in it
  });

  const node = (...args: string[]) => run(process.execPath, args, { cwd: directory });

  /** Generates types from the document, compiles the program with them, and runs it against the server. */
  async function runAgainst(url: string, document: unknown, program: string): Promise<unknown> {
    const files = {
      'package.json': '{ "type": "module" }',
      'tsconfig.json': JSON.stringify(TSCONFIG),
      'hook.mjs': HOOK,
      'openapi.json': JSON.stringify(document),
      'client.ts': program,
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
    for (const [name, source] of PACKAGES) {
      const link = join(directory, 'node_modules', name);
      await mkdir(dirname(link), { recursive: true });
      await symlink(source, link);
    }
    const generator = join(MODULES, 'openapi-typescript/bin/cli.js');
    await node('--import', './hook.mjs', generator, 'openapi.json', '--output', 'api.d.ts');
    const { stdout: complaints } = await node(join(MODULES, 'typescript/bin/tsc')).catch((error) => error);
    expect(complaints).toBe('');
    const { stdout } = await node('dist/client.js', url);
    return JSON.parse(stdout);
  }

  test('compiles, and gets the expected answers from a real server', async () => {
    const app = await createTestApp({ settings: { refreshTokenAsCookie: false }, controllers });
    onTestFinished(() => app.close());
    expect(await runAgainst(app.url, documentOf(app, { controllers }), CLIENT_PROGRAM)).toEqual({
      signUp: 201,
      user: ['ada@example.com', 'Ada'],
      sessions: [2, 1, null],
      report: 'permission_denied',
      gone: 'session_not_found',
      order: 'tea',
      wrong: 'incorrect_credentials',
      logout: 204,
      again: 'token_not_valid',
    });
  });

  test('runs against the demo, with the document that the demo serves', async () => {
    const database = await createTestDatabase();
    onTestFinished(() => database.drop());
    const demo = await startDemo(directory, {
      DATABASE_URL: database.url,
      DEMO_DATA: directory,
      PORT: '0',
      JWT_ALLAUTH_REFRESH_TOKEN_AS_COOKIE: 'false',
      JWT_ALLAUTH_PUBLIC_URL: 'http://127.0.0.1:3000',
    });
    onTestFinished(() => demo.stop());
    const document = await (await fetch(`${demo.url}/openapi.json`)).json();
    expect(await runAgainst(demo.url, document, DEMO_PROGRAM)).toEqual({
      profile: ['ada@example.com', 401],
      publish: ['permission_denied', 403],
      refreshed: true,
      replayed: 'refresh_token_reused',
    });
  });
});
