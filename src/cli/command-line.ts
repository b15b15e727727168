import type { MikroORM } from '@mikro-orm/postgresql';
import { Command, CommanderError } from 'commander';
import { addCheck } from './check.js';
import { describeError } from './error-messages.js';
import { addGenerateKeys } from './generate-keys.js';
import { addModuleCommands } from './module-commands.js';
import { addPurge } from './purge.js';
import { addSessions } from './sessions.js';

/**
 * Runs one command, which prints its result. If it fails, this prints the reason.
 *
 * @param args the arguments after `jwt-allauth`
 * @returns the exit code: 1 for an error, 2 for invalid arguments, else `process.exitCode`, which a command can set
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  const program = new Command('jwt-allauth')
    .description('Administers an app that uses jwt-allauth.')
    .addHelpText('after', '\nModules of the app can add commands: jwt-allauth <command> --orm <module[#Export]> --help')
    .exitOverride()
    .showHelpAfterError('(use --help for more)');
  for (const add of [addPurge, addSessions, addGenerateKeys, addCheck]) add(program);
  let orm: MikroORM | undefined;
  try {
    orm = await addModuleCommands(program, args);
    await program.parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    // commander has printed the help or the reason.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(`jwt-allauth: ${describeError(error)}\n`);
    return 1;
  } finally {
    await orm?.close(true);
  }
}
