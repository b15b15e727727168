import type { MikroORM } from '@mikro-orm/postgresql';
import { authMigrations } from './auth-migrations.js';
import type { TableSweep } from './database/table-sweep.js';
import { ERRORS } from './error-table.js';
import { type AuthKernel, kernelSweeps } from './kernel.js';
import type { AuthModule, ModuleParts } from './module.js';

/**
 * Refuses modules that do not fit together or into their app.
 *
 * @throws TypeError for modules of one name, for what two of them would share, and for migrations that are not listed
 */
export function assertModulesFit(modules: readonly AuthModule[], orm: MikroORM): void {
  const fail = (name: string, problem: string): never => {
    throw new TypeError(`module ${name}: ${problem}`);
  };
  const [names, codes, mails] = [new Set<string>(), new Set(Object.keys(ERRORS)), new Set<string>()];
  const listed = orm.config.get('migrations')?.migrationsList?.map((each) => ('name' in each ? each.name : '')) ?? [];
  const migrations = new Set(authMigrations().map(({ name }) => name));
  const isListing = listed.some((name) => migrations.has(name));
  for (const module of modules) {
    const { name } = module;
    if (names.has(name)) fail(name, 'is named twice');
    names.add(name);
    for (const code of Object.keys(module.errors ?? {}))
      if (codes.has(code)) fail(name, `there is an error ${code} already`);
      else codes.add(code);
    for (const mail of Object.keys(module.mails ?? {}))
      if (mails.has(mail)) fail(name, `there is a mail ${mail} already`);
      else mails.add(mail);
    for (const migration of module.migrations ?? [])
      if (migrations.has(migration.name)) fail(name, `there is a migration ${migration.name} already`);
      else migrations.add(migration.name);
    const missing = module.migrations?.find((migration) => isListing && !listed.includes(migration.name));
    if (missing) fail(name, `its migrations are not in migrationsList; give authMigrations the modules as well`);
  }
}

/** What `purge` deletes, by name. @throws TypeError for two sweeps of one name: one of them would do nothing */
export function sweepsOf(kernel: AuthKernel, modules: readonly AuthModule[], features: readonly ModuleParts[]) {
  const sweeps: Record<string, TableSweep> = { ...kernelSweeps(kernel) };
  for (const [index, feature] of features.entries()) {
    const double = Object.keys(feature.sweeps ?? {}).find((name) => Object.hasOwn(sweeps, name));
    if (double) throw new TypeError(`module ${modules[index]?.name}: there is a sweep ${double} already`);
    Object.assign(sweeps, feature.sweeps);
  }
  return sweeps;
}
