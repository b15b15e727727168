import { randomBytes } from 'node:crypto';
import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import { authMigrations, createAuthEntities, PasswordHasher, Role } from 'jwt-allauth';
import { CreateUsers } from './create-users.migration.js';
import { MODULES } from './modules.js';
import { User } from './user.entity.js';

/** Key of the advisory lock that a demo holds while it migrates and seeds. */
const SETUP_LOCK = 7_262_742;

/** Connects, runs the migrations, and creates a staff user if there is none. */
export async function openDatabase(url: string, env: NodeJS.ProcessEnv): Promise<MikroORM> {
  const orm = await MikroORM.init({
    clientUrl: url,
    driverOptions: { connectionTimeoutMillis: 5000 },
    entities: [User, ...createAuthEntities({ user: () => User, modules: MODULES })],
    extensions: [Migrator],
    migrations: {
      migrationsList: [{ name: 'create_users', class: CreateUsers }, ...authMigrations(MODULES)],
      snapshot: false,
      silent: true,
    },
  });
  try {
    await orm.em.fork().transactional(async (em) => {
      await em.execute('select pg_advisory_xact_lock(?)', [SETUP_LOCK]);
      await orm.migrator.up();
      await seedStaff(orm, env);
    });
  } catch (error) {
    await orm.close(true);
    throw error;
  }
  return orm;
}

async function seedStaff(orm: MikroORM, env: NodeJS.ProcessEnv): Promise<void> {
  const em = orm.em.fork({ disableContextResolution: true });
  const email = env.DEMO_STAFF_EMAIL || 'staff@example.com';
  if (await em.findOne(User, { email })) return;
  const password = env.DEMO_STAFF_PASSWORD || randomBytes(12).toString('base64url');
  const passwordHash = await new PasswordHasher().hash(password);
  em.create(User, {
    email,
    passwordHash,
    role: Role.STAFF,
    emailVerified: true,
    firstName: 'Demo',
    lastName: 'Staff',
    isActive: true,
    permissions: [],
  });
  await em.flush();
  if (!env.DEMO_STAFF_PASSWORD) console.log(`Staff user ${email} has the password ${password} (shown this once)\n`);
}
