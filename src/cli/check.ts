import type { EntityMetadata } from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { Command } from 'commander';
import { modulesOf } from '../auth-entities.js';
import { entityMetadata } from '../database/table.js';
import type { AuthModule } from '../module.js';
import { SESSION_ENTITY } from '../sessions/session.entity.js';
import type { Settings } from '../settings/settings.js';
import { SettingsError } from '../settings/settings-error.js';
import { settingsFromEnv } from '../settings/settings-from-env.js';
import { resolveTokenClass } from '../tokens/resolve-token-class.js';
import { relationsOf } from '../tokens/user-attributes.js';
import { assertUserEntity } from '../users/assert-user-entity.js';
import { DatabaseChecks } from './database-checks.js';
import { describeError, redactSecrets } from './error-messages.js';
import type { Finding } from './finding.js';
import { encryptionKeyWarnings, keyWarnings } from './key-strength.js';
import { addProjectOptions, loadEnv, openOrm, type ProjectOptions, withOrm } from './project.js';
import { settingWarnings } from './setting-warnings.js';

/** Adds the command `check`. */
export function addCheck(program: Command): void {
  const command = program
    .command('check')
    .description(
      'Checks settings, keys, database, tables, users and clocks. Exits with 1 if any check failed, else with 0.',
    )
    .option('--json', 'print { ok, checks: [{ name, status, message }] }');
  addProjectOptions(command).action(run);
}

async function run({ json, ...project }: ProjectOptions & { readonly json?: boolean }): Promise<void> {
  loadEnv(project);
  // If `orm` is a string, it says why the ORM could not be opened. The settings are checked in any case.
  const orm = await openOrm(project).catch((error: unknown) => describeError(error));
  const { checks: ofSettings, settings } = await checkSettings(typeof orm === 'string' ? [] : knownModules(orm));
  const checks = [...ofSettings, ...(await checkProject(orm, settings))];
  const ok = checks.every(({ status }) => status !== 'failed');
  if (json) process.stdout.write(`${JSON.stringify({ ok, checks }, null, 2)}\n`);
  else
    for (const { name, status, message } of checks) process.stdout.write(`${status.padEnd(8)} ${name}: ${message}\n`);
  if (!ok) process.exitCode = 1;
}

/**
 * The modules that the app uses. Empty if the ORM does not know the library's entities. `checkProject` reports that
 * error.
 */
function knownModules(orm: MikroORM): readonly AuthModule[] {
  try {
    return modulesOf(orm);
  } catch {
    return [];
  }
}

/**
 * Checks the settings, including those of modules, and the strength of the keys. Returns the settings, also if only the
 * class of REFRESH_TOKEN cannot be loaded. They are undefined if any other setting is not valid.
 */
async function checkSettings(modules: readonly AuthModule[]): Promise<{ checks: Finding[]; settings?: Settings }> {
  const name = 'settings';
  let settings: Settings | undefined;
  try {
    settings = settingsFromEnv(process.env, modules);
    await resolveTokenClass(settings, process.cwd());
    const usable: Finding = { name, status: 'ok', message: 'all settings are valid' };
    return { checks: [usable, ...checkKeys(settings), ...settingWarnings(settings)], settings };
  } catch (error) {
    const failed: Finding = { name, status: 'failed', message: faultsOf(error) };
    return { checks: settings ? [failed, ...checkKeys(settings), ...settingWarnings(settings)] : [failed], settings };
  }
}

function checkKeys(settings: Settings): Finding[] {
  return [
    keyStrength('keys', keyWarnings(settings), `no weakness was found in the key of ${settings.algorithm}`),
    keyStrength('encryption-keys', encryptionKeyWarnings(settings), 'no weakness was found in the encryption keys'),
  ];
}

function keyStrength(name: string, warnings: readonly string[], okMessage: string): Finding {
  if (warnings.length > 0) return { name, status: 'warning', message: warnings.join('; ') };
  return { name, status: 'ok', message: okMessage };
}

/**
 * Checks the app's ORM and its database, and closes the ORM.
 *
 * @param orm the ORM, or a sentence that says why it could not be opened
 */
async function checkProject(orm: MikroORM | string, settings: Settings | undefined): Promise<Finding[]> {
  if (typeof orm === 'string') return [{ name: 'project', status: 'failed', message: orm }];
  try {
    const found = [checkEntities(orm, settings), ...(await new DatabaseChecks(orm, settings).run())];
    const isReady = settings && found.some(({ name, status }) => name === 'tables' && status === 'ok');
    return isReady ? [...found, ...(await checkModules(orm))] : found;
  } catch (error) {
    return [{ name: 'project', status: 'failed', message: describeError(error) }];
  } finally {
    await orm.close(true);
  }
}

/** Runs the checks of the app's modules. The settings must be valid, and the tables must exist. */
async function checkModules(orm: MikroORM): Promise<Finding[]> {
  const checks = modulesOf(orm).flatMap((module) => module.checks ?? []);
  if (checks.length === 0) return [];
  try {
    return await withOrm(orm, ({ auth }) =>
      Promise.all(checks.map(async (check) => ({ name: check.name, ...(await check.run(auth)) }))),
    );
  } catch (error) {
    return [{ name: 'modules', status: 'failed', message: describeError(error) }];
  }
}

/**
 * Checks that the library supports the app's user entity, and that the entity has what USER_ATTRIBUTES names.
 *
 * @throws TypeError if the ORM does not know the library's entities
 */
function checkEntities(orm: MikroORM, settings: Settings | undefined): Finding {
  // Each session belongs to a user, so the session entity leads to the user entity.
  const user = entityMetadata(orm.getMetadata(), SESSION_ENTITY).properties['user']?.targetMeta as EntityMetadata;
  const name = 'project';
  try {
    assertUserEntity(user, orm.config.getSchema(true));
    if (settings) relationsOf(settings, user); // throws if a path does not exist
    return { name, status: 'ok', message: `the ORM knows ${user.className} and the entities of the library` };
  } catch (error) {
    return { name, status: 'failed', message: faultsOf(error) };
  }
}

/** Describes an error in one line. For a SettingsError, the line has all its faults. */
function faultsOf(error: unknown): string {
  if (!(error instanceof SettingsError)) return describeError(error);
  return redactSecrets(error.faults.map(({ setting, message }) => `${setting} ${message}`).join('; '));
}
