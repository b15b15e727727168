import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OrdersController, StaffController } from './support/documented.controllers.js';
import { documentOf } from './support/documented-app.js';
import { CLIENT_PROGRAM } from './support/openapi-client-program.js';
import { createTestApp, type TestApp } from './support/test-app.js';

const run = promisify(execFile);
const MODULES = fileURLToPath(new URL('../node_modules', import.meta.url));
const controllers = [OrdersController, StaffController];

/** openapi-typescript needs the compiler API that TypeScript 7 no longer has. */
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

describe('a client written against types that are made of the document', () => {
  let directory: string;
  let app: TestApp;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-openapi-'));
    app = await createTestApp({ settings: { refreshTokenAsCookie: false }, controllers });
    const document = documentOf(app, { controllers });
    const files = {
      'package.json': '{ "type": "module" }',
      'tsconfig.json': JSON.stringify(TSCONFIG),
      'hook.mjs': HOOK,
      'openapi.json': JSON.stringify(document),
      'client.ts': CLIENT_PROGRAM,
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
    for (const name of ['openapi-fetch', 'openapi-typescript-helpers', '@types/node']) {
      const link = join(directory, 'node_modules', name);
      await mkdir(dirname(link), { recursive: true });
      await symlink(join(MODULES, name), link);
    }
  });
  afterAll(async () => {
    await app.close();
    await rm(directory, { recursive: true });
  });

  const node = (...args: string[]) => run(process.execPath, args, { cwd: directory });

  test('compiles, and gets from a real server what it expects', async () => {
    const generator = join(MODULES, 'openapi-typescript/bin/cli.js');
    await node('--import', './hook.mjs', generator, 'openapi.json', '--output', 'api.d.ts');
    expect(await readFile(join(directory, 'api.d.ts'), 'utf8')).toContain('"/auth/login"');
    const { stdout: complaints } = await node(join(MODULES, 'typescript/bin/tsc')).catch((error) => error);
    expect(complaints).toBe('');
    const { stdout } = await node('dist/client.js', app.url);
    expect(JSON.parse(stdout)).toEqual({
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
});
