import { Command, CommanderError } from 'commander';
import { addCheck } from './check.js';
import { describeError } from './error-messages.js';
import { addGenerateKeys } from './generate-keys.js';
import { addPurge } from './purge.js';
import { addSessions } from './sessions.js';

/**
 * Runs one command: prints what it finds, or one sentence that says why it cannot.
 *
 * @param args what follows `jwt-allauth`
 * @returns the exit code: 1 for an error, 2 for arguments that mean nothing, else what the command has set
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  const program = new Command('jwt-allauth')
    .description('Looks after an app that signs its users in with jwt-allauth.')
    .exitOverride()
    .showHelpAfterError('(--help tells more)');
  for (const add of [addPurge, addSessions, addGenerateKeys, addCheck]) add(program);
  try {
    await program.parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // commander has printed what is wrong
    process.stderr.write(`jwt-allauth: ${describeError(error)}\n`);
    return 1;
  }
}
