import { type EntityClass, MikroORM } from '@mikro-orm/postgresql';
import { passkeysModule } from '../../src/features/passkeys/index.js';
import { totpModule } from '../../src/features/totp/index.js';
import { type BaseUser, createAuthEntities } from '../../src/index.js';
import type { AuthModule } from '../../src/module-kit.js';
import { notesModule } from './notes.module.js';
import { Anywhere, Legacy, Narrow, Numbered, Roleless, Staff, TenantMember } from './odd-users.js';
import { AppUser, Organization } from './users.js';

/** Exports that the command line finds in place of an app's MikroORM options. */
const options = {
  get clientUrl() {
    return process.env['DATABASE_URL'];
  },
  entities: [AppUser, Organization, ...createAuthEntities({ user: () => AppUser })],
  pool: { idleTimeoutMillis: 100 }, // many commands run in one process, and close() leaves idle connections
};

export default options;
/** A module that has a command with the name of one of the library. */
const purging: AuthModule = {
  name: 'purging',
  commands: [{ name: 'sessions forget', description: '', run: async () => {} }],
  create: () => ({}),
};

/** An app with a module. A function, because it reads the variables of the command that is running. */
const withModule = (module: AuthModule) => () => ({
  ...options,
  entities: [AppUser, Organization, ...createAuthEntities({ user: () => AppUser, modules: [module] })],
});
export const withNotes = withModule(notesModule);
export const withTotp = withModule(totpModule as AuthModule);
export const withPasskeys = withModule(passkeysModule as AuthModule);
export const withPurging = withModule(purging);
export const promised = Promise.resolve(options);
export const make = () => options;
export const makeLater = async () => options;
export const makeInstance = () => MikroORM.init(options);
/** An app that never exits by itself. */
export const keepAlive = () => {
  setInterval(() => {}, 60_000);
  return options;
};

export const text = 'postgresql://app:a-password-in-a-text@127.0.0.1/app';
export const nothing = null;
export const withoutOurs = { ...options, entities: [AppUser, Organization] };
export const withoutDatabase = { entities: options.entities };
export const withoutEntities = { clientUrl: options.clientUrl };
export const fails = () => {
  throw new Error(`no answer from ${process.env['DATABASE_URL']} for ${process.env['JWT_ALLAUTH_SECRET_KEY']}`);
};
export const failsLater = async () => fails();

/** Apps with user entities that the library cannot use. */
const withUser = (user: EntityClass<BaseUser>) => ({
  ...options,
  entities: [user, Organization, ...createAuthEntities({ user: () => user })],
});
export const ofNumbered = withUser(Numbered);
export const ofTenantMember = withUser(TenantMember);
export const ofAnywhere = withUser(Anywhere);
export const ofAnywhereInPeople = { ...ofAnywhere, schema: 'people' };
export const ofStaff = withUser(Staff);
export const ofNarrow = withUser(Narrow);
export const ofLegacy = withUser(Legacy);
export const ofRoleless = withUser(Roleless);
