import type { MikroORM } from '@mikro-orm/postgresql';
import { Command } from 'commander';
import { modulesOf } from '../auth-entities.js';
import type { ModuleCommand } from '../module-command.js';
import { CommandError } from './command-error.js';
import { errorReason } from './error-messages.js';
import { findUser } from './find-user.js';
import { addProjectOptions, loadEnv, openOrm, type ProjectOptions, withOrm } from './project.js';

/**
 * Adds the commands of the app's modules, if the arguments begin with a word that is no command of the library. To find
 * the modules, it opens the app's ORM.
 *
 * @param args the arguments after `jwt-allauth`
 * @returns the ORM, which the caller has to close; undefined if it opened none
 * @throws CommandError if the app that `--orm` names cannot be loaded, or a module has a command with the name of one
 * of the library
 */
export async function addModuleCommands(program: Command, args: readonly string[]): Promise<MikroORM | undefined> {
  const own = program.commands.map((command) => command.name());
  const [first = ''] = args;
  if (!/^[a-z]/.test(first) || first === 'help' || own.includes(first)) return undefined;
  const project = readProjectOptions(args);
  loadEnv(project);
  const isNamed = args.some((arg) => /^--orm(=|$)/.test(arg));
  const orm = await openOrm(project).catch((error: unknown) => {
    if (isNamed) throw error;
    program.showHelpAfterError(`(use --help for more; no commands of modules: ${errorReason(error)})`);
    return undefined; // the word is an unknown command
  });
  for (const module of orm ? modulesOf(orm) : []) {
    for (const command of module.commands ?? []) {
      const [word = ''] = command.name.split(' ');
      if (own.includes(word))
        throw new CommandError(`the module ${module.name} has a command ${word}, and so has the library`);
      addCommand(program, command, orm as MikroORM);
    }
  }
  return orm;
}

/** Reads the options that say where the app is, and ignores everything else. */
function readProjectOptions(args: readonly string[]): ProjectOptions {
  const reader = addProjectOptions(new Command()).allowUnknownOption().allowExcessArguments().helpOption(false);
  return reader
    .exitOverride()
    .parse([...args], { from: 'user' })
    .opts<ProjectOptions>();
}

function addCommand(program: Command, { name, description, options = [], run }: ModuleCommand, orm: MikroORM): void {
  const words = name.split(' ');
  const last = words.pop() ?? '';
  let parent = program;
  for (const word of words) parent = parent.commands.find((each) => each.name() === word) ?? parent.command(word);
  const command = parent.command(last).description(description);
  for (const { flags, description: text, isRequired } of options) {
    if (isRequired) command.requiredOption(flags, text);
    else command.option(flags, text);
  }
  addProjectOptions(command).action(async (given: Readonly<Record<string, string | true>>) => {
    await withOrm(orm, ({ auth, users }) =>
      run({
        auth,
        options: given,
        findUser: (idOrEmail) => findUser(users, idOrEmail),
        print: (line) => void process.stdout.write(`${line}\n`),
      }),
    );
  });
}
