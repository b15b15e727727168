import { fileURLToPath } from 'node:url';
import { runCommandLine } from '../../src/cli/command-line.js';
import type { CliRun } from './run-cli.js';
import { secrets } from './secrets.js';

/** The module with the ORM of the tests, as this process loads it. */
export const SOURCE_ORM = fileURLToPath(new URL('./cli-orm.ts', import.meta.url));

/**
 * Runs `jwt-allauth` in this process, with only these variables: the same as `runCli` without the second of work
 * that loading the library takes each time. Only `runCli` shows whether the process ends by itself.
 */
export async function runInProcess(
  args: readonly string[],
  env: Record<string, string> = {},
  directory = process.cwd(),
): Promise<CliRun> {
  const { env: ownEnv, exitCode: ownExitCode } = process;
  const ownDirectory = process.cwd();
  const [stdout, stderr] = [capture(process.stdout), capture(process.stderr)];
  try {
    process.env = { ...env };
    process.exitCode = undefined;
    process.chdir(directory);
    const code = await runCommandLine(args);
    const run = { code, stdout: stdout.written.join(''), stderr: stderr.written.join('') };
    secrets.saw('the output of the command line', run.stdout + run.stderr);
    return run;
  } finally {
    process.env = ownEnv;
    process.exitCode = ownExitCode;
    process.chdir(ownDirectory);
    for (const { end } of [stdout, stderr]) end();
  }
}

/** Records what is written to a stream, instead of writing it, until `end`. */
function capture(stream: NodeJS.WriteStream) {
  const own = stream.write;
  const written: string[] = [];
  stream.write = (chunk: string | Uint8Array) => written.push(String(chunk)) > 0;
  return {
    written,
    end: () => {
      stream.write = own;
    },
  };
}
