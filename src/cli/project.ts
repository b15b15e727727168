import { existsSync } from 'node:fs';
import { MikroORM, type Options, PostgreSqlDriver } from '@mikro-orm/postgresql';
import type { Command } from 'commander';
import { Container } from 'typedi';
import { modulesOf } from '../auth-entities.js';
import { createJwtAllauth, type JwtAllauth } from '../jwt-allauth.js';
import { Mailer } from '../mail/mailer.js';
import type { Logger } from '../observability/logger.js';
import { loadExport } from '../settings/module-export.js';
import { settingsFromEnv } from '../settings/settings-from-env.js';
import { UserService } from '../users/user.service.js';
import { CommandError } from './command-error.js';
import { errorReason } from './error-messages.js';

/** Where a command finds the app. */
export interface ProjectOptions {
  /** `module#Export`. */
  readonly orm: string;
  readonly env?: string;
}

/** The app that a command works on. */
interface Project {
  readonly auth: JwtAllauth;
  readonly users: UserService;
}

/** A command sends no mails: they wait for the servers. */
class NoMailer extends Mailer {
  async send(): Promise<void> {
    throw new Error('a command sends no mails');
  }
}

/** What a command has to say it says itself. */
const SILENT: Logger = { info() {}, warn() {}, error() {} };

/** Adds the options that say where the app is. */
export function addProjectOptions(command: Command): Command {
  return command
    .option(
      '--orm <module[#Export]>',
      "the app's MikroORM options, or what makes them, or an instance; from the working directory",
      './dist/mikro-orm.config.js',
    )
    .option('--env <file>', 'read variables from this file first; those that are set already stay');
}

/**
 * Runs `work` on the app, with settings from the environment, and closes its ORM.
 * @throws CommandError, SettingsError
 */
export async function withProject<T>(options: ProjectOptions, work: (project: Project) => Promise<T>): Promise<T> {
  loadEnv(options);
  const orm = await openOrm(options);
  try {
    const settings = settingsFromEnv(process.env, modulesOf(orm));
    const container = Container.of('jwt-allauth command');
    // A command looks at no access token: it needs no list of revoked sessions, and no connection that keeps one.
    const own = { ...settings, accessTokenSessionCheck: 'none' } as const;
    const auth = await createJwtAllauth({ orm, settings: own, container, logger: SILENT, mailer: new NoMailer() });
    return await work({ auth, users: container.get(UserService) }).finally(() => auth.close());
  } finally {
    await orm.close(true);
  }
}

/** Reads the env file, if one is given. @throws CommandError when there is none of that name */
export function loadEnv({ env }: ProjectOptions): void {
  if (env === undefined) return;
  if (!existsSync(env)) throw new CommandError(`--env names the file ${env}, which does not exist`);
  try {
    process.loadEnvFile(env);
  } catch (error) {
    throw new CommandError(`--env names the file ${env}, which cannot be read: ${errorReason(error)}`);
  }
}

/** The app's ORM, to be closed by the caller. @throws CommandError that says what was found instead */
export async function openOrm({ orm: given }: ProjectOptions): Promise<MikroORM> {
  const reference = given.includes('#') ? given : `${given}#default`;
  const { name, value } = await loadExport(reference, process.cwd(), fault).catch((error) => {
    throw fault(errorReason(error).replace(/^--orm /, ''));
  });
  const found = await Promise.resolve(typeof value === 'function' ? call(value) : value).catch((error) => {
    throw fault(`names ${name}, which fails: ${errorReason(error)}`);
  });
  if (typeof found !== 'object' || found === null)
    throw fault(`names ${name}, which is neither MikroORM options nor an instance`);
  const orm = found instanceof MikroORM ? found : await init(found, name);
  orm.config.set('ensureDatabase', false); // a name that was misspelt is no wish for another database
  if (orm.driver instanceof PostgreSqlDriver) return orm;
  await orm.close(true);
  throw fault(`names ${name}, which is not for PostgreSQL: take defineConfig from @mikro-orm/postgresql`);
}

async function call(make: unknown): Promise<unknown> {
  return (make as () => unknown)();
}

async function init(options: Options, name: string): Promise<MikroORM> {
  try {
    return await MikroORM.init({ ...options, debug: false });
  } catch (error) {
    throw fault(`names ${name}, from which no ORM can be made: ${errorReason(error)}`);
  }
}

function fault(message: string): CommandError {
  return new CommandError(`--orm ${message}`);
}
