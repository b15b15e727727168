import { MikroORM } from '@mikro-orm/postgresql';
import { createAuthEntities } from '../../src/index.js';
import { AppUser, Organization } from './users.js';

/** What the command line may find where an app has its MikroORM options. */
const options = {
  clientUrl: process.env['DATABASE_URL'],
  entities: [AppUser, Organization, ...createAuthEntities({ user: () => AppUser })],
};

export default options;
export const promised = Promise.resolve(options);
export const make = () => options;
export const makeLater = async () => options;
export const makeInstance = () => MikroORM.init(options);
/** An app that never ends by itself. */
export const keepAlive = () => {
  setInterval(() => {}, 60_000);
  return options;
};

export const text = 'postgresql://app:a-password-in-a-text@127.0.0.1/app';
export const nothing = null;
export const withoutOurs = { ...options, entities: [AppUser, Organization] };
export const withoutEntities = { clientUrl: options.clientUrl };
export const fails = () => {
  throw new Error(`no answer from ${process.env['DATABASE_URL']} for ${process.env['JWT_ALLAUTH_SECRET_KEY']}`);
};
export const failsLater = async () => fails();
