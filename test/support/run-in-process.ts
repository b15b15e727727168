import { fileURLToPath } from 'node:url';
import { runCommandLine } from '../../src/cli/command-line.js';
import type { CliRun } from './run-cli.js';
import { secrets } from './secrets.js';

/** The module with the ORM of the tests, as this process loads it. */
export const SOURCE_ORM = fileURLToPath(new URL('./cli-orm.ts', import.meta.url));

const BUILT = fileURLToPath(new URL('../../dist/src/cli/command-line.js', import.meta.url));

/**
 * Runs `jwt-allauth` in this process, with only these variables: the same as `runCli` without the second of work
 * that loading the library takes each time. Only `runCli` shows whether the process ends by itself.
 */
export async function runInProcess(
  args: readonly string[],
  env?: Record<string, string>,
  directory?: string,
): Promise<CliRun> {
  const { output: _, ...run } = await runWith(runCommandLine, args, env, directory);
  return run;
}

/** The result of a run, with the `output` of both streams in the order in which it was written. */
type BuiltRun = CliRun & { readonly output: string };

/** Does the same with the built command line, which an app needs whose modules import the built package. */
export async function runBuiltInProcess(...args: Parameters<typeof runInProcess>): Promise<BuiltRun> {
  const built: { runCommandLine: typeof runCommandLine } = await import(BUILT);
  return runWith(built.runCommandLine, ...args);
}

async function runWith(
  run: typeof runCommandLine,
  args: readonly string[],
  env: Record<string, string> = {},
  directory = process.cwd(),
): Promise<BuiltRun> {
  const { env: ownEnv, exitCode: ownExitCode } = process;
  const ownDirectory = process.cwd();
  const written: string[] = [];
  const [stdout, stderr] = [capture(process.stdout, written), capture(process.stderr, written)];
  try {
    process.env = { ...env };
    process.exitCode = undefined;
    process.chdir(directory);
    const code = await run(args);
    const output = written.join('');
    secrets.saw('the output of the command line', output);
    return { code, stdout: stdout.written.join(''), stderr: stderr.written.join(''), output };
  } finally {
    process.env = ownEnv;
    process.exitCode = ownExitCode;
    process.chdir(ownDirectory);
    for (const { end } of [stdout, stderr]) end();
  }
}

/** Records what is written to a stream, also in `all`, instead of writing it, until `end`. */
function capture(stream: NodeJS.WriteStream, all: string[]) {
  const own = stream.write;
  const written: string[] = [];
  stream.write = (chunk: string | Uint8Array) => {
    all.push(String(chunk));
    return written.push(String(chunk)) > 0;
  };
  return {
    written,
    end: () => {
      stream.write = own;
    },
  };
}
