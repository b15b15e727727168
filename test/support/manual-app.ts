import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import { COMPILE_CACHE } from './compile-cache.js';
import { makeOnce } from './made-once.js';
import { files } from './manual.js';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CLI = join(ROOT, 'dist/src/cli/main.js');

const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));

/** The packages that an app must install with the library. */
export const requiredPeers = Object.keys(manifest.peerDependencies).filter(
  (name) => !manifest.peerDependenciesMeta[name]?.optional,
);

/** Additional packages that pages of the manual install. */
const OTHERS = ['typescript', '@types/node', '@mikro-orm/migrations', 'express', '@types/express', 'vitest'];

/** A password and its bcrypt hash, which the package bcryptjs made. */
export const BCRYPT = {
  password: 'correct horse battery',
  hash: '$2b$10$JsnCRU/UnjmjRz/T270uieV70eVq88pcizBxjhZ6h7FCM.D6SRzz.',
} as const;

/** Stands in for the package bcrypt, which is no dependency of the library: it knows one hash. */
const BCRYPT_PACKAGE = {
  'package.json': '{ "type": "module", "exports": { "types": "./index.d.ts", "default": "./index.js" } }',
  'index.d.ts':
    'declare const bcrypt: { compare(password: string, hash: string): Promise<boolean> };\nexport default bcrypt;',
  'index.js': `const known = ${JSON.stringify(BCRYPT)};
    export default { compare: async (password, hash) => hash === known.hash && password === known.password };`,
};

/** Stands in for the package ws, which is no dependency of the library: its types, as far as the manual uses them. */
const WS_PACKAGE = {
  'package.json': BCRYPT_PACKAGE['package.json'],
  'index.d.ts': `import type { EventEmitter } from 'node:events';
    import type { IncomingMessage } from 'node:http';
    import type { Duplex } from 'node:stream';
    export class WebSocket extends EventEmitter {
      close(code?: number, reason?: string): void;
      terminate(): void;
      send(data: string): void;
    }
    export class WebSocketServer extends EventEmitter {
      constructor(options: { readonly noServer: true; readonly maxPayload: number });
      readonly clients: Set<WebSocket>;
      handleUpgrade(
        request: IncomingMessage, socket: Duplex, head: Buffer, done: (socket: WebSocket) => void,
      ): void;
    }`,
  'index.js': 'export class WebSocketServer {}',
};

/** Stands in for the package of Jest, whose functions have the same types as those of Vitest. */
const JEST_PACKAGE = {
  'package.json': '{ "type": "module", "exports": { "types": "./index.d.ts" } }',
  'index.d.ts': "export { afterAll, beforeAll, expect, test } from 'vitest';",
};

/** Starts apps on the PostgreSQL of the run, in programs that do not test the embedded one. A new one takes a second. */
const START_TEST_APP = `import { createTestDatabase, startTestApp as start } from 'jwt-allauth/testing';
  export const startTestApp = async (options) =>
    start({ database: await createTestDatabase('${inject('databaseUrl')}'), ...options });`;

/** The result of one shell command. */
export interface ShellRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Names the texts of the app and the build of the library, which the compiled app depends on. */
async function version(): Promise<string> {
  const { mtimeMs } = await stat(join(ROOT, 'dist/.built'));
  return createHash('sha256')
    .update(JSON.stringify([files, mtimeMs]))
    .digest('hex');
}

/**
 * The app that the snippets of the manual form together, compiled in a separate folder as for a reader. Programs in
 * its `dist` can import `startTestApp` from `./start-test-app.js`.
 */
export class ManualApp {
  private constructor(readonly directory: string) {}

  static async build(): Promise<ManualApp> {
    const directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-manual-'));
    const modules = join(directory, 'node_modules');
    for (const scope of ['@mikro-orm', '@types', '.bin', 'bcrypt', 'ws', '@jest/globals'])
      await mkdir(join(modules, scope), { recursive: true });
    for (const name of [...requiredPeers, ...OTHERS])
      await symlink(join(ROOT, 'node_modules', name), join(modules, name));
    await symlink(ROOT, join(modules, 'jwt-allauth'));
    await symlink(join(ROOT, 'node_modules/typescript/bin/tsc'), join(modules, '.bin/tsc'));
    await writeFile(join(directory, 'package.json'), '{ "type": "module" }');
    for (const [name, text] of Object.entries(BCRYPT_PACKAGE)) await writeFile(join(modules, 'bcrypt', name), text);
    for (const [name, text] of Object.entries(WS_PACKAGE)) await writeFile(join(modules, 'ws', name), text);
    for (const [name, text] of Object.entries(JEST_PACKAGE))
      await writeFile(join(modules, '@jest/globals', name), text);
    // Does what npm's npx does with a command of an installed package, without npm.
    await writeFile(join(modules, '.bin/npx'), `#!/bin/sh\nshift\nexec "${process.execPath}" "${CLI}" "$@"\n`);
    await chmod(join(modules, '.bin/npx'), 0o755);
    for (const { name, text } of files) {
      await mkdir(dirname(join(directory, name)), { recursive: true });
      await writeFile(join(directory, name), text);
    }
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
    await makeOnce(join(directory, 'dist'), `manual-${await version()}`, () =>
      run(process.execPath, [compiler], { cwd: directory }),
    );
    await writeFile(join(directory, 'dist/start-test-app.js'), START_TEST_APP);
    return new ManualApp(directory);
  }

  /** Runs shell lines in the folder, with only these variables. */
  async shell(lines: string, env: Readonly<Record<string, string>> = {}): Promise<ShellRun> {
    const path = [join(this.directory, 'node_modules/.bin'), dirname(process.execPath), '/usr/bin', '/bin'];
    const options = {
      cwd: this.directory,
      env: { ...COMPILE_CACHE, ...env, PATH: path.join(delimiter) },
      timeout: 100_000,
    };
    return new Promise((resolve) => {
      execFile('sh', ['-ec', lines], options, (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr });
      });
    });
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true });
  }
}
