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
  const names = new Set<string>();
  const errors = new Set(Object.keys(ERRORS));
  const mails = new Set<string>();
  const routes = new Set<string>();
  const migrations = new Set(authMigrations().map(({ name }) => name));
  const listed = orm.config.get('migrations')?.migrationsList?.map((each) => ('name' in each ? each.name : '')) ?? [];
  const isListingOwn = listed.some((name) => migrations.has(name));
  for (const module of modules) {
    const { name } = module;
    const own = module.migrations?.map((migration) => migration.name) ?? [];
    reserveNames(names, [name], () => `module ${name}: is named twice`);
    reserveNames(
      errors,
      Object.keys(module.errors ?? {}),
      (code) => `module ${name}: there is an error ${code} already`,
    );
    reserveNames(mails, Object.keys(module.mails ?? {}), (mail) => `module ${name}: there is a mail ${mail} already`);
    reserveNames(routes, module.routes ?? [], (route) => `module ${name}: there are routes ${route} already`);
    reserveNames(migrations, own, (migration) => `module ${name}: there is a migration ${migration} already`);
    if (isListingOwn && !own.every((migration) => listed.includes(migration)))
      throw new TypeError(
        `module ${name}: its migrations are not in migrationsList; give authMigrations the modules as well`,
      );
  }
}

/** Adds names to those that are taken. @throws TypeError with the fault of the first one that was taken before */
function reserveNames(taken: Set<string>, names: readonly string[], faultOf: (name: string) => string): void {
  for (const name of names) {
    if (taken.has(name)) throw new TypeError(faultOf(name));
    taken.add(name);
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
