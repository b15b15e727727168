import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { files } from './manual.js';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CLI = join(ROOT, 'dist/src/cli/main.js');

const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));

/** The packages that an app must install with the library. */
export const requiredPeers = Object.keys(manifest.peerDependencies).filter(
  (name) => !manifest.peerDependenciesMeta[name]?.optional,
);

/** What one command of a shell came to. */
export interface ShellRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The app that the snippets of the manual make together, compiled in a folder of its own as a reader would have it. */
export class ManualApp {
  private constructor(readonly directory: string) {}

  static async build(): Promise<ManualApp> {
    const directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-manual-'));
    const modules = join(directory, 'node_modules');
    for (const scope of ['@mikro-orm', '@types', '.bin']) await mkdir(join(modules, scope), { recursive: true });
    const installed = [...requiredPeers, 'typescript', '@types/node', '@mikro-orm/migrations'];
    for (const name of installed) await symlink(join(ROOT, 'node_modules', name), join(modules, name));
    await symlink(ROOT, join(modules, 'jwt-allauth'));
    await writeFile(join(directory, 'package.json'), '{ "type": "module" }');
    // What npm's own npx does with a command of an installed package, without npm.
    await writeFile(join(modules, '.bin/npx'), `#!/bin/sh\nshift\nexec "${process.execPath}" "${CLI}" "$@"\n`);
    await chmod(join(modules, '.bin/npx'), 0o755);
    for (const { name, text } of files) {
      await mkdir(dirname(join(directory, name)), { recursive: true });
      await writeFile(join(directory, name), text);
    }
    await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc')], { cwd: directory });
    return new ManualApp(directory);
  }

  /** Runs lines of a shell in the folder, with these variables and no others. */
  async shell(lines: string, env: Readonly<Record<string, string>> = {}): Promise<ShellRun> {
    const path = [join(this.directory, 'node_modules/.bin'), dirname(process.execPath), '/usr/bin', '/bin'];
    const options = { cwd: this.directory, env: { ...env, PATH: path.join(delimiter) }, timeout: 100_000 };
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
