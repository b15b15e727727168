import type { MikroORM } from '@mikro-orm/postgresql';
import { authMigrations } from './auth-migrations.js';
import { ERRORS } from './error-table.js';
import { DEFAULT_PAGES } from './http/pages/default-pages.js';
import type { AuthModule, ModuleParts } from './module.js';

/**
 * Checks that modules do not conflict with each other or with the library.
 *
 * @throws TypeError if two modules have the same name, error code, mail, page, route or migration, or if
 * `migrationsList` of the ORM has the library's migrations without those of a module
 */
export function assertModulesFit(modules: readonly AuthModule[], orm: MikroORM): void {
  const names = new Set<string>();
  const errors = new Set(Object.keys(ERRORS));
  const mails = new Set<string>();
  const pages = new Set(Object.keys(DEFAULT_PAGES));
  const routes = new Set<string>();
  const migrations = new Set(authMigrations().map(({ name }) => name));
  const listed = orm.config.get('migrations')?.migrationsList?.map((each) => ('name' in each ? each.name : '')) ?? [];
  const isListingOwn = listed.some((name) => migrations.has(name));
  for (const module of modules) {
    const { name } = module;
    const moduleMigrations = module.migrations?.map((migration) => migration.name) ?? [];
    reserveNames(names, [name], () => `module ${name}: two modules have this name`);
    reserveNames(
      errors,
      Object.keys(module.errors ?? {}),
      (code) => `module ${name}: the error ${code} exists already`,
    );
    reserveNames(mails, Object.keys(module.mails ?? {}), (mail) => `module ${name}: the mail ${mail} exists already`);
    reserveNames(pages, Object.keys(module.pages ?? {}), (page) => `module ${name}: the page ${page} exists already`);
    reserveNames(routes, module.routes ?? [], (route) => `module ${name}: the routes ${route} exist already`);
    reserveNames(
      migrations,
      moduleMigrations,
      (migration) => `module ${name}: the migration ${migration} exists already`,
    );
    if (isListingOwn && !moduleMigrations.every((migration) => listed.includes(migration)))
      throw new TypeError(
        `module ${name}: its migrations are not in migrationsList; pass the modules to authMigrations as well`,
      );
  }
}

/** Adds names to those that are taken. @throws TypeError for the first name that was taken before */
function reserveNames(taken: Set<string>, names: readonly string[], faultOf: (name: string) => string): void {
  for (const name of names) {
    if (taken.has(name)) throw new TypeError(faultOf(name));
    taken.add(name);
  }
}

/**
 * Adds the objects that modules have for the app's code. A module declares their types by declaration merging, so
 * `auth` itself is not complete.
 *
 * @throws TypeError if `auth` has a property of this name already
 */
export function withApi<T extends object>(
  modules: readonly AuthModule[],
  features: readonly ModuleParts[],
  auth: Partial<T>,
): T {
  for (const [index, { api = {} }] of features.entries()) {
    const duplicate = Object.keys(api).find((name) => name in auth);
    if (duplicate) throw new TypeError(`module ${modules[index]?.name}: the property ${duplicate} exists already`);
    Object.assign(auth, api);
  }
  return auth as T;
}
