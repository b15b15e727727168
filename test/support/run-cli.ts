import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { COMPILE_CACHE } from './compile-cache.js';
import { secrets } from './secrets.js';

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

/** The path of the module with the ORM of the tests, from any folder. */
export const ORM = fileURLToPath(new URL('../../dist/test/support/cli-orm.js', import.meta.url));

/** The result of a run of the command line. */
export interface CliRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `jwt-allauth` in its own process, with only these variables. */
export async function runCli(
  args: readonly string[],
  env: Record<string, string> = {},
  directory?: string,
): Promise<CliRun> {
  const options = { env: { ...COMPILE_CACHE, ...env }, cwd: directory, timeout: 170_000 };
  const run = await new Promise<CliRun>((resolve) => {
    execFile(process.execPath, [MAIN, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr });
    });
  });
  secrets.saw('the output of the command line', run.stdout + run.stderr);
  return run;
}
