import 'reflect-metadata';
import { MikroORM } from '@mikro-orm/postgresql';
import { Authorized, CurrentUser, createExpressServer, Get, JsonController } from 'routing-controllers';
import { Container } from 'typedi';
import {
  createJwtAllauth,
  type ForUserOptions,
  Mailer,
  PasswordHasher,
  Principal,
  RefreshToken,
  TokenFactory,
} from '../../src/index.js';
import { partitionMigration } from '../documented-migrations.js';
import { AppUser, options } from './app-orm.js';
import { keyPairSettings } from './key-pair-settings.js';
import { addSessions } from './many-sessions.js';
import { ENCRYPTION_KEY, LEAN, lean, PASSWORD, PERMISSIONS, SECRET, SESSIONS, serve, USERS } from './serve.js';

class PermissionToken extends RefreshToken {
  static override async forUser(user: AppUser, options?: ForUserOptions) {
    const token = await super.forUser(user, options);
    token.payload.permissions = user.permissions;
    return token;
  }
}

@JsonController('/profile')
class ProfileController {
  @Authorized()
  @Get('/id')
  id(@CurrentUser() user: Principal) {
    return { id: user.id, permissions: user.claims['permissions'] };
  }
}

/** Accounts by mail, without rate limits. */
const ACCOUNTS = {
  emailVerification: 'mandatory',
  publicUrl: 'https://app.example.com',
  loginRateLimit: [],
  mailRateLimit: [],
  registrationRateLimit: [],
} as const;

/** Sends no mails. */
class NoMailer extends Mailer {
  async send() {}
}

/**
 * This library, used only through its public API. BENCH_VARIANT is RS256, ES256, `revocation-list`, `database`, `lean`,
 * `no login limit`, `accounts`, `partitioned`, or a number of existing sessions. Processes of a cluster share a
 * database; the first one creates its tables.
 */
const variant = process.env['BENCH_VARIANT'] ?? '';
const orm = await MikroORM.init(options);
const em = orm.em.fork();
const [found] = await em.execute<{ users: string | null }[]>(`select to_regclass('users') as users`);
if (!found?.users) await createTables();
const users = await em.find(AppUser, {}, { orderBy: { email: 'asc' }, populate: ['passwordHash'] });

const settings = {
  encryptionKeys: [ENCRYPTION_KEY],
  ...(variant === 'RS256' || variant === 'ES256' ? keyPairSettings(variant) : { secretKey: SECRET }),
  ...(variant !== 'shipped token class' && { refreshToken: PermissionToken }),
  refreshTokenAsCookie: false,
  ...(variant === 'no login limit' && { loginRateLimit: [] }),
  ...(variant === 'accounts' && ACCOUNTS),
};
const check = variant === 'revocation-list' || variant === 'database' ? variant : 'none';
const mailer = new NoMailer();
const auth = await createJwtAllauth({ orm, settings: { ...settings, accessTokenSessionCheck: check }, mailer });
const yesterday = { now: () => Date.now() - 86_400_000 };
const past = await createJwtAllauth({ orm, settings, mailer, clock: yesterday, container: Container.of('past') });

const tokens = [];
// Refresh tokens and access tokens belong to different sessions: the replay check revokes some sessions, and with them
// their access tokens.
for (let index = 0; index < SESSIONS + USERS; index++)
  tokens.push(await auth.sessions.open(users[index % SESSIONS] as AppUser));
const many = Number(variant) > 0 ? await addSessions(Number(variant), users, Container.get(TokenFactory)) : [];

async function createTables(): Promise<void> {
  await em.execute(`
    create table users (id uuid primary key, email varchar(254) not null unique, password_hash text null,
      first_name varchar(150) not null default '', last_name varchar(150) not null default '', role int not null default 0,
      is_active boolean not null default true, email_verified boolean not null default false,
      permissions jsonb not null default '[]')`);
  await orm.migrator.up();
  if (variant === 'partitioned') await em.execute(partitionMigration());
  const passwordHash = await new PasswordHasher().hash(PASSWORD);
  for (let index = 0; index < SESSIONS; index++) {
    em.create(AppUser, { email: `user${index}@example.com`, passwordHash, permissions: PERMISSIONS } as never);
  }
  await em.flush();
  em.clear();
}

const isLean = variant === 'lean';
const app = createExpressServer(auth.serverOptions({ controllers: [ProfileController], ...(isLean && LEAN) }));
serve(isLean ? lean(app) : app, {
  get: {
    path: '/profile/id',
    users: tokens.slice(SESSIONS).map(({ access }) => ({ authorization: `Bearer ${access}` })),
  },
  expired: { authorization: `Bearer ${(await past.sessions.open(users[0] as AppUser)).access}` },
  signIn: { path: '/auth/login', bodies: users.map(({ email }) => ({ email, password: PASSWORD })) },
  refresh: {
    path: '/auth/refresh',
    contentType: 'application/json',
    body: '{"refresh":"$"}',
    field: 'refresh',
    tokens: many.length > 0 ? many : tokens.slice(0, SESSIONS).map(({ refresh }) => refresh),
  },
});
