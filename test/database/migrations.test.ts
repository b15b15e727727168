import { Migration, Migrator } from '@mikro-orm/migrations';
import { EntityCaseNamingStrategy, type EntityClass, MikroORM, type Options } from '@mikro-orm/postgresql';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { authMigrations, type BaseUser, createAuthEntities, User } from '../../src/index.js';
import { BoundClient } from '../support/bound-client.js';
import { expectProblem } from '../support/expect-problem.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { AppUser, BigintUser, IntegerUser, Organization } from '../support/users.js';

const WRONG = 'not the sentence that was chosen';
const OURS = [
  'auth_account',
  'auth_audit_event',
  'auth_challenge',
  'auth_counter',
  'auth_one_time_key',
  'auth_outbox_mail',
  'auth_pending_sign_up',
  'auth_revocation',
  'auth_session',
];

let database: TestDatabase;
const open: { close(): Promise<unknown> }[] = [];
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  for (const opened of open.splice(0).reverse()) await opened.close();
  await database.drop();
});

/** An ORM with the app's first migration, which creates its users, followed by those of the library. */
async function migratedBy(user: EntityClass<BaseUser>, options: Options = {}): Promise<MikroORM> {
  const own = { clientUrl: database.url, logger: () => {}, ...options };
  const before = await MikroORM.init({ ...own, entities: [user, Organization] });
  const sql = await before.schema.getCreateSchemaSQL({ wrap: false });
  await before.close(true);
  class CreateUsers extends Migration {
    override up(): void {
      this.addSql(sql);
    }
  }
  const orm = await MikroORM.init({
    ...own,
    entities: [user, Organization, ...createAuthEntities({ user: () => user })],
    extensions: [Migrator],
    migrations: { migrationsList: [{ name: 'App_1_users', class: CreateUsers }, ...authMigrations()], snapshot: false },
  });
  open.push(orm);
  return orm;
}

/** The library on the migrated database. */
async function appFor(user: EntityClass<BaseUser>, options: Options = {}, loginRateLimit = 'off'): Promise<TestApp> {
  const app = await createTestApp({ user, database, orm: options, settings: { loginRateLimit } });
  open.push(app);
  return app;
}

const query = async (sql: string) => (await database.pool.query(sql)).rows;
const tables = async () =>
  (await query(`select table_name from information_schema.tables where table_schema = 'public' order by 1`)).map(
    ({ table_name }) => table_name,
  );

describe('the shipped migrations', () => {
  test.each([
    ['uuid', AppUser, 'app_user'],
    ['uuid (the shipped user)', User, 'auth_user'],
    ['integer', IntegerUser, 'integer_user'],
    ['bigint', BigintUser, 'bigint_user'],
  ])(
    'create on an empty database the schema of the entities, for users with a key of type %s',
    async (_type, user, table) => {
      const orm = await migratedBy(user);
      await orm.migrator.up();
      expect(await tables()).toEqual([...OURS, 'mikro_orm_migrations', 'organization', table].sort());
      expect(await orm.schema.getUpdateSchemaSQL()).toBe('');

      const app = await appFor(user);
      const client = await app.signedUp('ada@example.com');
      expect((await client.refresh()).status).toBe(200);
      const other = await app.signedUp('grace@example.com');
      await database.pool.query(`delete from ${table} where email = 'ada@example.com'`);
      expect(await app.sessions()).toMatchObject([{ user_id: (await query(`select id from ${table}`))[0].id }]);
      expectProblem(await client.refresh(), 401, 'token_not_valid');
      expect((await other.refresh()).status).toBe(200);
    },
  );

  test('bring a database of the first version up to date, and sign no user out', async () => {
    const orm = await migratedBy(AppUser);
    const [first, ...later] = authMigrations().map(({ name }) => name);
    await orm.migrator.up({ migrations: ['App_1_users', first ?? ''] });
    await query(`insert into app_user (id, email, permissions) values (gen_random_uuid(), 'ada@example.com', '[]')`);
    await query(`insert into auth_session (id, user_id, jti, rotated_at, created_at, expires_at)
      select gen_random_uuid(), id, gen_random_uuid(), now(), now(), now() + interval '1 day' from app_user`);
    await orm.migrator.up();
    expect((await orm.migrator.getExecuted()).map(({ name }) => name)).toEqual(['App_1_users', first, ...later]);
    expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
    const columns = [
      'enabled, ip, device, previous_rotated_at, rotated_from, is_followed, followed_generations',
      'amr, auth_time = created_at as "is_proved_at_opening", claims',
    ];
    expect(await query(`select ${columns} from auth_session`)).toEqual([
      {
        enabled: true,
        ip: null,
        device: null,
        previous_rotated_at: null,
        rotated_from: null,
        is_followed: false,
        followed_generations: 0,
        amr: [],
        is_proved_at_opening: true,
        claims: null,
      },
    ]);
  });

  test('mark invited users who never accepted the invitation, and treat all others as in use', async () => {
    const orm = await migratedBy(AppUser);
    const earlier = authMigrations()
      .map(({ name }) => name)
      .filter((name) => name < 'JwtAllauth_20261130_b');
    await orm.migrator.up({ migrations: ['App_1_users', ...earlier] });
    for (const [name, purpose] of [
      ['invited', 'invitation'],
      ['let-in', 'invitation-used'],
      ['forgetful', 'password-reset'],
      ['ada', undefined],
    ]) {
      const email = `${name}@example.com`;
      await query(`insert into app_user (id, email, permissions) values (gen_random_uuid(), '${email}', '[]')`);
      if (purpose)
        await query(`insert into auth_one_time_key (hash, purpose, user_id, email, expires_at)
          select '${name}', '${purpose}', id, email, '2026-12-01T00:00:00Z' from app_user where email = '${email}'`);
    }
    await orm.migrator.up();
    const accounts = await query(
      `select email, state, invitation_expires_at, credential_epoch
       from auth_account join app_user on app_user.id = user_id`,
    );
    const invitation_expires_at = new Date('2026-12-01T00:00:00Z');
    expect(accounts).toEqual([
      { email: 'invited@example.com', state: 'invited', invitation_expires_at, credential_epoch: 0 },
    ]);
  });

  test('can be reverted, and applied again', async () => {
    const orm = await migratedBy(AppUser);
    await orm.migrator.up();
    await orm.migrator.down({
      migrations: authMigrations()
        .map(({ name }) => name)
        .reverse(),
    });
    expect(await tables()).toEqual(['app_user', 'mikro_orm_migrations', 'organization']);
    expect(await orm.migrator.getPending()).toMatchObject(authMigrations().map(({ name }) => ({ name })));
    await orm.migrator.up();
    expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
    expect(await orm.migrator.getPending()).toEqual([]);
  });

  test('leave a quarter of each page of sessions free', async () => {
    const orm = await migratedBy(AppUser);
    await orm.migrator.up();
    expect(await query(`select reloptions from pg_class where relname = 'auth_session'`)).toEqual([
      { reloptions: ['fillfactor=75'] },
    ]);
  });

  test('keep their names, so that an applied migration is not applied again', () => {
    const names = [
      'JwtAllauth_20261124_create',
      'JwtAllauth_20261125_session_control',
      'JwtAllauth_20261127_accounts_by_mail',
      'JwtAllauth_20261129_a_rotation_origin',
      'JwtAllauth_20261129_c_pending_sign_ups',
      'JwtAllauth_20261129_d_former_addresses',
      'JwtAllauth_20261129_e_sign_up_origins',
      'JwtAllauth_20261130_a_session_worth',
      'JwtAllauth_20261130_b_accounts',
      'JwtAllauth_20261130_c_second_factors',
      'JwtAllauth_20261130_d_sign_in_completions',
      'JwtAllauth_20261130_e_undo_factors',
      'JwtAllauth_20261130_f_sign_up_completions',
      'JwtAllauth_20261130_g_session_keys',
    ];
    expect(authMigrations().map(({ name }) => name)).toEqual(names);
  });

  test('use the schema of the app’s tables', async () => {
    await database.pool.query('create schema tenant');
    const orm = await migratedBy(IntegerUser, { schema: 'tenant' });
    await orm.migrator.up();
    const found = await query(
      `select table_name from information_schema.tables where table_schema = 'tenant' and table_name like 'auth%' order by 1`,
    );
    expect(found.map(({ table_name }) => table_name)).toEqual(OURS);
    const app = await appFor(IntegerUser, { schema: 'tenant' });
    const client = await app.signedUp();
    expect((await client.refresh()).status).toBe(200);
    await orm.migrator.down({
      migrations: authMigrations()
        .map(({ name }) => name)
        .reverse(),
    });
    expect(await query(`select 1 from information_schema.tables where table_name like 'auth%'`)).toEqual([]);
  });
});

test('with another naming strategy everything works on the migrated tables', async () => {
  const naming: Options = { namingStrategy: EntityCaseNamingStrategy };
  const orm = await migratedBy(AppUser, naming);
  await orm.migrator.up();
  expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
  const columns = await query(`select column_name from information_schema.columns where table_name = 'auth_session'`);
  const stored = ['id', 'user', 'jti', 'previousJti', 'rotatedAt', 'enabled', 'createdAt', 'expiresAt'];
  const followers = ['previousRotatedAt', 'rotatedFrom', 'isFollowed', 'followedGenerations'];
  const names = [...stored, 'ip', 'browser', 'os', 'device', ...followers, 'amr', 'authTime', 'claims'];
  names.push('keyThumbprint', 'proofs');
  expect(columns.map(({ column_name }) => column_name).sort()).toEqual(names.sort());

  const app = await appFor(AppUser, naming, '3/15m/account+ip,50/15m/ip,50/1h/account');
  const client = await app.signedUp('ada@example.com');
  const tab = client.copy();
  expect((await client.refresh()).status).toBe(200);
  const again = await tab.refresh();
  expect(again).toMatchObject({ status: 200, cookie: { value: client.refreshToken } });
  expect((await client.get('/auth/user')).body).toMatchObject({ email: 'ada@example.com', emailVerified: true });

  for (let index = 0; index < 3; index++) {
    expectProblem(await app.client().login('ada@example.com', WRONG), 401, 'incorrect_credentials');
  }
  expectProblem(await app.client().login('ada@example.com'), 429, 'too_many_requests');
  app.clock.advance(900);
  expect((await app.client().login('ada@example.com')).status).toBe(200);
  expect((await client.changePassword(PASSWORD, WRONG)).status).toBe(200);
  expect(await query('select count(*)::int as live from auth_session where enabled')).toEqual([{ live: 1 }]);
  expect((await client.logoutAll()).status).toBe(204);
  expect(await query('select count(*)::int as live from auth_session where enabled')).toEqual([{ live: 0 }]);
  expectProblem(await client.refresh(), 401, 'token_not_valid');
});

/** Asserts the number of updates of sessions, and that PostgreSQL touched an index only where a page was full. */
async function expectHotUpdates(app: TestApp, total: number): Promise<void> {
  await app.orm.em.getConnection().execute('select pg_stat_force_next_flush()'); // on the one connection that rotated
  let [updates] = await query(`select 0 as total, 0 as hot, 0 as elsewhere`);
  while (updates.total < total) {
    [updates] = await query(
      `select n_tup_upd::int as total, n_tup_hot_upd::int as hot, n_tup_newpage_upd::int as elsewhere
       from pg_stat_user_tables where relname = 'auth_session'`,
    );
  }
  // A transaction in any database of the server keeps dead rows alive, and so can fill a page while other tests run.
  expect(updates).toMatchObject({ total, hot: total - updates.elsewhere });
  expect(updates.elsewhere).toBeLessThan(total / 5);
}

describe('a rotation', () => {
  test('is a HOT update: PostgreSQL touches no index', async () => {
    const orm = await migratedBy(AppUser);
    await orm.migrator.up();
    const app = await appFor(AppUser, { pool: { min: 1, max: 1 } });
    const owner = await app.signedUp('ada@example.com');
    const clients = [owner, ...Array.from({ length: 49 }, () => app.client())];
    await Promise.all(clients.slice(25).map((client) => client.login('ada@example.com')));
    const [ada] = await query('select id from app_user');
    const claims = { tenant: 'acme', scopes: Array.from({ length: 20 }, (_, index) => `scope ${index}`) };
    for (const client of clients.slice(1, 25)) {
      const { access, refresh } = await app.auth.signIn(ada, { method: 'ticket', claims });
      Object.assign(client, { access, refreshToken: refresh });
    }
    expect(await app.liveSessions()).toBe(50);
    for (let round = 0; round < 4; round++) {
      app.clock.advance(90); // indexes matter only if a value changes
      const answers = await Promise.all(clients.map((client) => client.refresh()));
      expect(answers.every(({ status }) => status === 200)).toBe(true);
    }

    await expectHotUpdates(app, 200);
  });

  test('of a bound session with five proofs in its row is one too, and so is the use of a proof by the parent', async () => {
    const orm = await migratedBy(AppUser);
    await orm.migrator.up();
    const app = await appFor(AppUser, { pool: { min: 1, max: 1 } });
    const owner = await BoundClient.of(app);
    expect((await owner.register('ada@example.com')).status).toBe(201);
    const clients = [owner, ...(await Promise.all(Array.from({ length: 19 }, () => BoundClient.of(app, owner.key))))];
    await Promise.all(clients.slice(1).map((client) => client.login('ada@example.com')));
    for (let round = 1; round <= 6; round++) {
      app.clock.advance(10);
      const parents = clients.map(({ refreshToken }) => refreshToken);
      const refreshes = [await Promise.all(clients.map((client) => client.refresh()))];
      if (round === 6) {
        for (const [index, client] of clients.entries()) client.refreshToken = parents[index] ?? '';
        refreshes.push(await Promise.all(clients.map((client) => client.refresh())));
      }
      expect(refreshes.flat().every(({ status }) => status === 200)).toBe(true);
      const counts = await query('select distinct cardinality(proofs) as proofs from auth_session');
      expect(counts).toEqual([{ proofs: round === 6 ? 7 : round }]);
    }
    await expectHotUpdates(app, 140);
  });

  test('writes no column that an index contains', async () => {
    const orm = await migratedBy(AppUser);
    await orm.migrator.up();
    const indexed = await query(
      `select distinct a.attname from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
       where i.indrelid = 'auth_session'::regclass order by 1`,
    );
    expect(indexed.map(({ attname }) => attname)).toEqual(['id', 'user_id']);
    const byExpression = `select 1 from pg_index where indrelid = 'auth_session'::regclass and (indexprs is not null or indpred is not null)`;
    expect(await query(byExpression)).toEqual([]);

    const app = await appFor(AppUser);
    const client = await app.signedUp();
    const [before] = await app.sessions();
    app.clock.advance(60);
    expect((await client.refresh()).status).toBe(200);
    const [after] = await app.sessions();
    const changed = Object.keys(after ?? {}).filter(
      (column) => String(after?.[column as 'id']) !== String(before?.[column as 'id']),
    );
    const written = ['expires_at', 'jti', 'previous_jti', 'previous_rotated_at', 'rotated_at', 'rotated_from'];
    expect(changed.sort()).toEqual(written);
  });
});
