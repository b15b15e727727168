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

/** Options that say where the app is. */
export interface ProjectOptions {
  /** `module#Export`. */
  readonly orm: string;
  readonly env?: string;
}

/** The app on which a command runs. */
interface Project {
  readonly auth: JwtAllauth;
  readonly users: UserService;
}

/** A command sends no mails: the servers send them later. */
class NoMailer extends Mailer {
  async send(): Promise<void> {
    throw new Error('a command sends no mails');
  }
}

/** Logs nothing, because a command prints its own messages. */
const SILENT: Logger = { info() {}, warn() {}, error() {} };

/** Adds the options that say where the app is. */
export function addProjectOptions(command: Command): Command {
  return command
    .option(
      '--orm <module[#Export]>',
      "the app's MikroORM options, a function that returns them, or an instance; relative to the working directory",
      './dist/mikro-orm.config.js',
    )
    .option('--env <file>', 'read variables from this file first; variables that are already set are kept');
}

/**
 * Runs `work` on the app with settings from the environment, and closes its ORM.
 * @throws CommandError, SettingsError
 */
export async function withProject<T>(options: ProjectOptions, work: (project: Project) => Promise<T>): Promise<T> {
  loadEnv(options);
  const orm = await openOrm(options);
  try {
    return await withOrm(orm, work);
  } finally {
    await orm.close(true);
  }
}

/** Runs `work` on the app with an ORM that is open already. The caller has to close the ORM. @throws SettingsError */
export async function withOrm<T>(orm: MikroORM, work: (project: Project) => Promise<T>): Promise<T> {
  const settings = settingsFromEnv(process.env, modulesOf(orm));
  const container = Container.of('jwt-allauth command');
  // A command checks no access tokens, so it needs no revocation list and no connection for one.
  const commandSettings = { ...settings, accessTokenSessionCheck: 'none' } as const;
  const parts = { orm, settings: commandSettings, container, logger: SILENT, mailer: new NoMailer() };
  const auth = await createJwtAllauth(parts);
  return work({ auth, users: container.get(UserService) }).finally(() => auth.close());
}

/** Reads the env file, if one is given. @throws CommandError if it does not exist or cannot be read */
export function loadEnv({ env }: ProjectOptions): void {
  if (env === undefined) return;
  if (!existsSync(env)) throw new CommandError(`--env names the file ${env}, which does not exist`);
  try {
    process.loadEnvFile(env);
  } catch (error) {
    throw new CommandError(`--env names the file ${env}, which cannot be read: ${errorReason(error)}`);
  }
}

/** Opens the app's ORM, which the caller has to close. @throws CommandError with what was found instead */
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
  orm.config.set('ensureDatabase', false); // a misspelt name must not create a database
  if (orm.driver instanceof PostgreSqlDriver) return orm;
  await orm.close(true);
  throw fault(`names ${name}, which is not for PostgreSQL: use defineConfig from @mikro-orm/postgresql`);
}

async function call(make: unknown): Promise<unknown> {
  return (make as () => unknown)();
}

async function init(options: Options, name: string): Promise<MikroORM> {
  try {
    return await MikroORM.init({ ...options, debug: false });
  } catch (error) {
    const hint = options.clientUrl || options.dbName ? '' : ' (Is DATABASE_URL not set? Try --env .env)';
    throw fault(`names ${name}, from which no ORM can be created: ${errorReason(error)}${hint}`);
  }
}

function fault(message: string): CommandError {
  return new CommandError(`--orm ${message}`);
}
