import 'reflect-metadata';
import { runCommandLine } from './command-line.js';

/** Time for the app's own modules to let the process end, in milliseconds. */
const EXIT_DELAY_MS = 1000;

/** Runs the command of this process. */
export async function run(): Promise<void> {
  // If the reader of a pipe such as `head` closes it early, the command still runs to its end.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
  process.exitCode = await runCommandLine(process.argv.slice(2));
  // Resources that a module of the app left open must not keep a scheduled command running.
  setTimeout(() => process.exit(), EXIT_DELAY_MS).unref();
}
