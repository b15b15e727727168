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
import { addProjectOptions, loadEnv, openOrm, type ProjectOptions } from './project.js';
import { settingWarnings } from './setting-warnings.js';

/** Adds `check`. */
export function addCheck(program: Command): void {
  const command = program
    .command('check')
    .description(
      'Looks at settings, keys, database, tables, users and clocks. Ends with 1 if anything failed, else with 0.',
    )
    .option('--json', 'print { ok, checks: [{ name, status, message }] }');
  addProjectOptions(command).action(run);
}

async function run({ json, ...project }: ProjectOptions & { readonly json?: boolean }): Promise<void> {
  loadEnv(project);
  const orm = await openOrm(project).catch((error: unknown) => describeError(error));
  const settings = await checkSettings(typeof orm === 'string' ? [] : knownModules(orm));
  const checks = [...settings.checks, ...(await checkProject(orm, settings.found))];
  const ok = checks.every(({ status }) => status !== 'failed');
  if (json) process.stdout.write(`${JSON.stringify({ ok, checks }, null, 2)}\n`);
  else
    for (const { name, status, message } of checks) process.stdout.write(`${status.padEnd(8)} ${name}: ${message}\n`);
  if (!ok) process.exitCode = 1;
}

/** The modules of an ORM; none where it does not know our entities, which `checkProject` reports. */
function knownModules(orm: MikroORM): readonly AuthModule[] {
  try {
    return modulesOf(orm);
  } catch {
    return [];
  }
}

/** The settings, those of modules included, and the keys in them. */
async function checkSettings(modules: readonly AuthModule[]): Promise<{ checks: Finding[]; found?: Settings }> {
  const name = 'settings';
  let found: Settings | undefined;
  try {
    found = settingsFromEnv(process.env, modules);
    await resolveTokenClass(found.refreshToken, process.cwd());
    const usable: Finding = { name, status: 'ok', message: 'all settings can be used' };
    return { checks: [usable, ...checkKeys(found), ...settingWarnings(found)], found };
  } catch (error) {
    const failed: Finding = { name, status: 'failed', message: faultsOf(error) };
    return { checks: found ? [failed, ...checkKeys(found), ...settingWarnings(found)] : [failed], found };
  }
}

function checkKeys(settings: Settings): Finding[] {
  const nothing = 'nothing weak was found about';
  return [
    strength('keys', keyWarnings(settings), `${nothing} the key of ${settings.algorithm}`),
    strength('encryption-keys', encryptionKeyWarnings(settings), `${nothing} the encryption keys`),
  ];
}

function strength(name: string, warnings: readonly string[], otherwise: string): Finding {
  if (warnings.length > 0) return { name, status: 'warning', message: warnings.join('; ') };
  return { name, status: 'ok', message: otherwise };
}

/**
 * The app's ORM, and the database that it leads to. Closes the ORM.
 *
 * @param orm the ORM, or why there is none
 */
async function checkProject(orm: MikroORM | string, settings: Settings | undefined): Promise<Finding[]> {
  if (typeof orm === 'string') return [{ name: 'project', status: 'failed', message: orm }];
  try {
    const project = checkEntities(orm, settings);
    return [project, ...(await new DatabaseChecks(orm, settings).run())];
  } catch (error) {
    return [{ name: 'project', status: 'failed', message: describeError(error) }];
  } finally {
    await orm.close(true);
  }
}

/** Whether the ORM knows what it must. @throws TypeError when it does not know the library's entities */
function checkEntities(orm: MikroORM, settings: Settings | undefined): Finding {
  const user = entityMetadata(orm.getMetadata(), SESSION_ENTITY).properties['user']?.targetMeta as EntityMetadata;
  const name = 'project';
  try {
    assertUserEntity(user, orm.config.getSchema(true));
    if (settings) relationsOf(settings.userAttributes, user);
    return { name, status: 'ok', message: `the ORM knows ${user.className} and the entities of the library` };
  } catch (error) {
    return { name, status: 'failed', message: faultsOf(error) };
  }
}

/** Every fault in one line. */
function faultsOf(error: unknown): string {
  if (!(error instanceof SettingsError)) return describeError(error);
  return redactSecrets(error.faults.map(({ setting, message }) => `${setting} ${message}`).join('; '));
}
