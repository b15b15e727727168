import { createRequire } from 'node:module';
import { inspect } from 'node:util';
import { type EntityClass, MikroORM, type Options } from '@mikro-orm/postgresql';
import express from 'express';
import { partitionMigration, placementMigration } from '../../bench/documented-migrations.js';
import {
  type AppServerOptions,
  type AuthEventMap,
  type BaseUser,
  createAuthEntities,
  type JwtAllauth,
  type JwtAllauthOptions,
  type Logger,
  PasswordHasher,
  type SettingsInput,
} from '../../src/index.js';
import { startTestApp, type TestClock } from '../../src/testing/index.js';
import { CheapHasher } from './cheap-hasher.js';
import { testPlacement } from './citus.js';
import { CITUS_STAND_IN } from './citus-stand-in.js';
import { dropContainer, ownContainer } from './containers.js';
import { ENCRYPTION_KEY } from './encryption-key.js';
import { secrets } from './secrets.js';
import { TestClient } from './test-client.js';
import { createTestDatabase, type TestDatabase, templateDatabase } from './test-database.js';
import { AppRefreshToken, AppUser, Organization } from './users.js';

/** Differences from an app with uuid users, cookies, Express 4 and its own database. */
export interface TestAppOptions {
  /** The default of `dpop` is the variable TEST_DPOP, to run all suites without bound sessions. */
  readonly settings?: SettingsInput;
  readonly user?: EntityClass<BaseUser>;
  readonly controllers?: AppServerOptions['controllers'];
  readonly server?: AppServerOptions;
  readonly express?: 4 | 5;
  /** The app's own Express app, in place of one of `express`. */
  readonly own?: express.Express;
  readonly orm?: Options;
  /** The URL of the database, if it is not the direct one. */
  readonly databaseUrl?: (direct: string) => string;
  /** A database to share with another app; it outlives this one. */
  readonly database?: TestDatabase;
  readonly auth?: Partial<Omit<JwtAllauthOptions, 'orm' | 'settings' | 'clock'>>;
  /** Hashes cost as much as in production; by default they are cheap. */
  readonly isHashingReal?: boolean;
  /** With the session table in hash partitions, as all apps have it if TEST_PARTITIONED is set. */
  readonly isPartitioned?: boolean;
  /** With the documented migration for several nodes, but on one node, which has stand-ins for the functions of Citus. */
  readonly placement?: 'a' | 'b';
  /** Called on the Express app before the library's routes are added. */
  readonly configure?: (app: express.Express) => void;
}

/** A complete app over HTTP on a real database, with access to everything that a test checks. */
export interface TestApp {
  readonly url: string;
  readonly orm: MikroORM;
  readonly auth: JwtAllauth;
  readonly clock: TestClock;
  readonly database: TestDatabase;
  /** The log, without the refusals. */
  readonly log: { level: string; message: string; [field: string]: unknown }[];
  /** The log of requests that were answered with 401. */
  readonly refusals: { code: string; reason?: string }[];
  /** The events of `session.reuse-detected`. */
  readonly events: AuthEventMap['session.reuse-detected'][];
  client(): TestClient;
  /** A client that has just signed up. */
  signedUp(email?: string): Promise<TestClient>;
  /** Rows of the session table, oldest first. */
  sessions(): Promise<{ id: string; user_id: string; jti: string; previous_jti: string | null; enabled: boolean }[]>;
  /** How many sessions can still be refreshed. */
  liveSessions(): Promise<number>;
  close(): Promise<void>;
}

export const SECRET = 'a secret that is only for tests and long enough for every hash, HS512 included';

let count = 0;

function servicesOf({ auth: { services = [] } = {}, isHashingReal }: TestAppOptions): readonly (new () => object)[] {
  const isOwn = services.some(({ prototype }) => prototype instanceof PasswordHasher);
  return [...services, ...(isHashingReal || isOwn ? [] : [CheapHasher])] as (new () => object)[];
}

export async function createTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const user = options.user ?? AppUser;
  const isStandard = user === AppUser && !options.orm;
  const template =
    isStandard && !options.database && !testPlacement() ? await templateDatabase(createStandardTables) : undefined;
  const database = options.database ?? (await createTestDatabase(template));
  const log: TestApp['log'] = [];
  const refusals: TestApp['refusals'] = [];
  const events: TestApp['events'] = [];
  const container = options.auth?.container ?? ownContainer('test');
  const app = await startTestApp({
    user,
    orm: { entities: [user, Organization, ...createAuthEntities({ user: () => user })], ...options.orm },
    database: {
      url: options.databaseUrl?.(database.url) ?? database.appUrl,
      drop: async () => (options.database ? undefined : database.drop()),
    },
    prepare: async (orm) => {
      if (options.database) return;
      if (!template) await orm.schema.create();
      if (options.isPartitioned ?? process.env['TEST_PARTITIONED']) await database.pool.query(partitionMigration());
      const placement = options.placement ?? testPlacement();
      if (options.placement && !testPlacement()) await database.pool.query(CITUS_STAND_IN);
      if (placement) await database.pool.query(placementMigration(placement));
    },
    server: { ...options.server, controllers: options.controllers },
    express: options.own ?? (options.express === 5 || options.configure ? configured(options) : undefined),
    logger: collector(log, refusals),
    container,
    settings: {
      secretKey: SECRET,
      encryptionKeys: ENCRYPTION_KEY,
      loginRateLimit: 'off',
      registrationRateLimit: 'off',
      ...(process.env['TEST_DPOP'] && { dpop: process.env['TEST_DPOP'] as SettingsInput['dpop'] }),
      ...(user === AppUser && { refreshToken: AppRefreshToken }),
      ...options.settings,
    },
    ...options.auth,
    services: servicesOf(options),
  });
  const { url, auth, clock } = app;
  auth.events.on('session.reuse-detected', (event) => {
    events.push(event);
    secrets.saw('an event', event);
  });
  const mode = auth.settings.refreshTokenAsCookie ? 'cookie' : 'body';
  const cookieName = auth.settings.refreshTokenCookieName ?? 'refresh_token';
  const client = () => new TestClient(url, mode, cookieName);
  secrets.add(SECRET, auth.settings.secretKey, ...auth.settings.encryptionKeys);
  return {
    url,
    orm: app.orm,
    auth,
    clock,
    database,
    log,
    refusals,
    events,
    client,
    signedUp: async (email = `user${++count}@example.com`) => {
      const signedUp = client();
      const { status } = await signedUp.register(email);
      if (status !== 201) throw new Error(`sign-up was answered with ${status}`);
      return signedUp;
    },
    sessions: async () => (await database.pool.query('select * from auth_session order by created_at, id')).rows,
    liveSessions: async () => {
      const { rows } = await database.pool.query(
        'select count(*)::int as live from auth_session where enabled and expires_at > $1',
        [new Date(clock.now())],
      );
      return rows[0].live;
    },
    close: async () => {
      secrets.saw('the library', inspect(auth, { depth: 12, showHidden: true, getters: true }));
      secrets.saw('the settings', auth.settings);
      await app.close();
      dropContainer(container);
      secrets.assertNoneShown();
    },
  };
}

/** Creates the tables of an app with the standard user. */
async function createStandardTables(clientUrl: string): Promise<void> {
  const entities = [AppUser, Organization, ...createAuthEntities({ user: () => AppUser })];
  const orm = await MikroORM.init({ clientUrl, entities });
  await orm.schema.create();
  await orm.close(true);
}

/** An Express app of the version in the options. */
function configured({ configure, express: version = 4 }: TestAppOptions): express.Express {
  const app = version === 5 ? express() : (createRequire(import.meta.url)('express4') as typeof express)();
  configure?.(app);
  return app;
}

function collector(log: TestApp['log'], refusals: TestApp['refusals']): Logger {
  const at = (level: string) => (fields: object, message: string) => {
    if (message === 'request refused') refusals.push(fields as TestApp['refusals'][number]);
    else log.push({ ...fields, level, message });
    secrets.saw(`a log line (${level})`, { ...fields, message });
  };
  return { info: at('info'), warn: at('warn'), error: at('error') };
}
