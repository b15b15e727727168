import { randomUUID } from 'node:crypto';
import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuthClient, type ClientCalls } from '../src/client/index.js';
import { memoryStore } from '../src/client/store.js';
import { authMigrations, createAuthEntities, createJwtAllauth, settingsFromEnv } from '../src/index.js';
import { type AuthModule, authError, type TableSweep } from '../src/module-kit.js';
import { createOpenApiDocument } from '../src/openapi/index.js';
import { resolveSettings } from '../src/settings/settings.js';
import { ownContainer } from './support/containers.js';
import { ENCRYPTION_KEY } from './support/encryption-key.js';
import { expectProblem } from './support/expect-problem.js';
import { createMailApp, type MailApp } from './support/mail-app.js';
import { NotesService, notesModule } from './support/notes.module.js';
import { runInProcess, SOURCE_ORM } from './support/run-in-process.js';
import { SECRET } from './support/test-app.js';
import { PASSWORD } from './support/test-client.js';
import { createTestDatabase } from './support/test-database.js';
import { AppUser, Organization } from './support/users.js';

const entities = (modules: readonly AuthModule[]) => [
  AppUser,
  Organization,
  ...createAuthEntities({ user: () => AppUser, modules: modules }),
];

describe('a module of the app', () => {
  let app: MailApp;
  beforeAll(async () => {
    app = await createMailApp({ notesLimit: 1 }, { orm: { entities: entities([notesModule]) } });
  });
  afterAll(() => app.close());

  test('adds routes, a table, a setting, an error, a mail and an event', async () => {
    const emitted: unknown[] = [];
    app.auth.events.on('note.added', ({ user }) => emitted.push(user));
    const owner = await app.signedUp('ada@example.com');
    const { body: me } = await owner.get('/auth/user');
    expect((await app.client().get('/auth/notes')).status).toBe(401);

    const added = await owner.send('POST', '/auth/notes', { text: 'the engine' }, owner.bearer);
    expect([added.status, added.body]).toEqual([201, { detail: 'The note is added.' }]);
    expectProblem(await owner.send('POST', '/auth/notes', { text: 'another' }, owner.bearer), 409, 'too_many_notes');
    expectProblem(await owner.send('POST', '/auth/notes', { text: 1 }, owner.bearer), 400, 'validation_failed');

    expect((await owner.get('/auth/notes')).body).toEqual({ notes: ['the engine'] });
    expect(emitted).toEqual([(me as { id: string }).id]);
    const [mail] = await app.mailsTo('ada@example.com');
    expect([mail?.subject, await app.mailCount()]).toEqual(['A note was added', 1]);
    const { rows } = await app.database.pool.query('select text, user_id from note');
    expect(rows).toEqual([{ text: 'the engine', user_id: (me as { id: string }).id }]);
  });

  test('adds its own methods to the browser client', async () => {
    const other = await createMailApp({ refreshTokenAsCookie: false }, { orm: { entities: entities([notesModule]) } });
    const notesMethods = ({ call }: ClientCalls) => ({
      addNote: (text: string) => call<{ detail: string }>('POST', '/notes', { body: { text }, isBearer: true }),
      notes: () => call<{ notes: string[] }>('GET', '/notes', { isBearer: true }),
    });
    const client = new AuthClient({ url: `${other.url}/auth`, store: memoryStore() }).extend(notesMethods);
    await expect(client.notes()).rejects.toMatchObject({ status: 401, code: 'not_authenticated' });
    await client.register({ email: 'grace@example.com', password: PASSWORD });
    expect(await client.addNote('the compiler')).toEqual({ detail: 'The note is added.' });
    expect(await client.notes()).toEqual({ notes: ['the compiler'] });
    expect(await notesMethods(client).notes()).toEqual({ notes: ['the compiler'] });
    client.close();
    await other.close();
  });

  test('appears in the OpenAPI document, with its errors', () => {
    const document = createOpenApiDocument(app.auth, app.auth.serverOptions(), {
      info: { title: 'Notes', version: '1' },
    });
    const post = document.paths['/auth/notes']?.['post'];
    expect(post?.operationId).toBe('addNote');
    expect(JSON.stringify(post?.responses['409'])).toContain('too_many_notes');
    expect(document.components.schemas).toHaveProperty('AuthNoteInput');
    expect(app.auth.errors).toMatchObject({ too_many_notes: { status: 409 } });
  });

  test('is cleaned up by purge', async () => {
    app.clock.advance(31 * 86_400);
    expect(await app.auth.purge.run({ dryRun: true })).toMatchObject({ notes: 1 });
    expect(await app.auth.purge.run({ pause: async () => {} })).toMatchObject({ notes: 1 });
    expect((await app.database.pool.query('select 1 from note')).rows).toEqual([]);
  });

  test('does not show its settings when the settings are printed', () => {
    expect(JSON.stringify(app.auth.settings)).toContain('"notesLimit":"[redacted]"');
  });

  test('lets the app replace its services, and is closed with the app', async () => {
    class OwnNotes extends NotesService {
      override async list(): Promise<string[]> {
        return ['of the app'];
      }
    }
    const before = notesModule.closed;
    const other = await createMailApp(
      {},
      { orm: { entities: entities([notesModule]) }, auth: { services: [OwnNotes] } },
    );
    const owner = await other.signedUp();
    expect((await owner.get('/auth/notes')).body).toEqual({ notes: ['of the app'] });
    await other.close();
    expect(notesModule.closed).toBe(before + 1);
  });
});

test('the command line finds the module through the ORM, with its setting and its purge', async () => {
  const app = await createMailApp({}, { orm: { entities: entities([notesModule]) } });
  const env = (limit: string) => ({
    DATABASE_URL: app.database.url,
    NODE_ENV: 'test',
    JWT_ALLAUTH_SECRET_KEY: SECRET,
    JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY,
    JWT_ALLAUTH_NOTES_LIMIT: limit,
  });
  const orm = `${SOURCE_ORM}#withNotes`;
  const check = async (limit: string) => {
    const { stdout } = await runInProcess(['check', '--json', '--orm', orm], env(limit));
    return JSON.parse(stdout).checks.find(({ name }: { name: string }) => name === 'settings');
  };
  expect(await check('3')).toMatchObject({ status: 'ok' });
  const message = 'JWT_ALLAUTH_NOTES_LIMIT must be a whole number, at least 1';
  expect(await check('many')).toMatchObject({ status: 'failed', message });
  const purge = await runInProcess(['purge', '--dry-run', '--orm', orm], env('3'));
  expect(purge).toMatchObject({ code: 0, stdout: expect.stringContaining('notes: 0 would be deleted') });
  await app.close();
});

test('the writes of a gate that then refuses are rolled back, and the address stays confirmed', async () => {
  let writes = 0;
  const gated: AuthModule = {
    name: 'gated',
    create: ({ database }) => ({
      gates: [
        {
          check: async ({ em }) => {
            writes += (await database.query(`update app_user set first_name = 'by the gate' returning 1`, [], em))
              .length;
            throw authError('permission_denied');
          },
        },
      ],
    }),
  };
  const settings = { emailVerification: 'mandatory', sessionOnEmailVerification: true } as const;
  const app = await createMailApp(settings, { orm: { entities: entities([gated]) } });
  const { headers } = await app.client().register('ada@example.com');
  const [mark = ''] = headers.getSetCookie();
  const opened = await app.open(await app.linkTo('ada@example.com'), { headers: { cookie: mark.split(';')[0] ?? '' } });
  expect([opened.status, writes]).toEqual([200, 1]);
  const { rows } = await app.database.pool.query('select first_name, email_verified from app_user');
  expect(rows).toEqual([{ first_name: '', email_verified: true }]);
  expect(await app.sessions()).toEqual([]);
  await app.close();
});

test('an error of one module at shutdown does not stop the shutdown of the others', async () => {
  const before = notesModule.closed;
  const failing: AuthModule = {
    name: 'failing',
    create: () => ({
      close: async () => {
        throw new Error('not closed');
      },
    }),
  };
  const app = await createMailApp({}, { orm: { entities: entities([failing, notesModule]) } });
  await expect(app.auth.close()).rejects.toThrow('not closed');
  expect(notesModule.closed).toBe(before + 1);
  await app.close().catch(() => {});
});

test('without the module its routes do not exist, and its settings are refused by name', async () => {
  const app = await createMailApp({});
  const owner = await app.signedUp();
  expect(await owner.get('/auth/notes')).toMatchObject({ status: 404, body: { code: 'not_found' } });
  await app.close();
  await expect(createMailApp({ notesLimit: 1 })).rejects.toThrow(/notesLimit is not a setting/);
});

test('a module in the settings that the entities lack is named as such, with its variables', async () => {
  const env = { NODE_ENV: 'test', JWT_ALLAUTH_SECRET_KEY: SECRET, JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY };
  const settings = { ...settingsFromEnv(env, [notesModule]), acessTokenLifetime: 60 };
  const unknown = 'is of a module that the ORM does not know: pass the same `modules` to createAuthEntities';
  expect(() => resolveSettings(settings)).toThrow(
    [
      'The settings cannot be used:',
      `  JWT_ALLAUTH_NOTES_LIMIT ${unknown}`,
      `  JWT_ALLAUTH_NOTES_DAYS ${unknown}`,
      '  acessTokenLifetime is not a setting; the nearest name is JWT_ALLAUTH_ACCESS_TOKEN_LIFETIME',
    ].join('\n'),
  );
});

test('the settings of a module come from the environment, with defaults and rules', () => {
  const env = { NODE_ENV: 'test', JWT_ALLAUTH_SECRET_KEY: SECRET, JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY };
  expect(settingsFromEnv({ ...env, JWT_ALLAUTH_NOTES_LIMIT: '7' }, [notesModule])).toMatchObject({
    notesLimit: 7,
    notesDays: 30,
  });
  expect(() => settingsFromEnv({ ...env, JWT_ALLAUTH_NOTES_LIMIT: 'many' }, [notesModule])).toThrow(
    /JWT_ALLAUTH_NOTES_LIMIT must be a whole number, at least 1/,
  );
  expect(() => settingsFromEnv({ ...env, JWT_ALLAUTH_NOTES_LIMT: '7' }, [notesModule])).toThrow(
    /JWT_ALLAUTH_NOTES_LIMT is not a setting; the nearest name is JWT_ALLAUTH_NOTES_LIMIT/,
  );
  expect(() => settingsFromEnv({ ...env, JWT_ALLAUTH_NOTES_LIMIT: '7' })).toThrow(/NOTES_LIMIT is not a setting/);
});

describe('a start is refused', () => {
  const start = async (modules: readonly AuthModule[], listed?: readonly AuthModule[]) => {
    const migrationsList = listed && authMigrations(listed);
    const orm = await MikroORM.init({
      dbName: 'none',
      connect: false,
      entities: entities(modules),
      ...(migrationsList && { migrations: { migrationsList } }),
    } as never);
    const settings = { secretKey: SECRET, encryptionKeys: ENCRYPTION_KEY };
    return createJwtAllauth({ orm, settings, container: ownContainer(randomUUID()) });
  };
  const module = (parts: Partial<AuthModule>): AuthModule => ({ name: 'own', create: () => ({}), ...parts });

  test.each<[what: string, AuthModule[], RegExp]>([
    ['with two modules of one name', [module({}), module({})], /^module own: two modules have this name/],
    [
      'with a module that has the name of a module of the library',
      [module({ name: 'account' })],
      /^module account: two modules have this name/,
    ],
    [
      'with routes that have a name of the library',
      [module({ routes: ['sessions'] })],
      /^module own: the routes sessions exist already/,
    ],
    [
      'with an error code of the library',
      [module({ errors: { csrf_failed: { status: 400, detail: '' } } })],
      /^module own: the error csrf_failed exists already/,
    ],
    [
      'with a mail of the library',
      [module({ mails: { invitation: { subject: '', title: '', before: '', after: '' } } })],
      /^module own: the mail invitation exists already/,
    ],
    [
      'with a setting of the library',
      [
        module({
          settings: class {
            issuer = '';
          },
        }),
      ],
      /^module own: the setting issuer exists already/,
    ],
    [
      'with a migration that has the name of another one',
      [notesModule, module({ migrations: notesModule.migrations ?? [] })],
      /^module own: the migration Notes_1 exists already/,
    ],
    [
      'with a sweep of the library',
      [module({ create: () => ({ sweeps: { sessions: {} as TableSweep } }) })],
      /^module own: the sweep sessions exists already/,
    ],
    [
      'with a sweep of another module',
      [notesModule, module({ create: () => ({ sweeps: { notes: {} as TableSweep } }) })],
      /^module own: the sweep notes exists already/,
    ],
  ])('%s', async (_, modules, message) => {
    await expect(start(modules)).rejects.toThrow(message);
  });

  test('if the app lists its migrations without those of a module', async () => {
    await expect(start([notesModule], [])).rejects.toThrow(/^module notes: its migrations are not in migrationsList/);
    await expect(start([notesModule], [notesModule])).resolves.toBeDefined();
    await expect(start([notesModule])).resolves.toBeDefined(); // the app may write its own migrations
  });
});

test('the migrations of a module run after those of the library, and create the schema of its entities', async () => {
  const database = await createTestDatabase();
  const options = { clientUrl: database.url, logger: () => {} };
  const before = await MikroORM.init({ ...options, entities: [AppUser, Organization] });
  await before.schema.create();
  await before.close(true);
  const orm = await MikroORM.init({
    ...options,
    extensions: [Migrator],
    entities: entities([notesModule]),
    migrations: { migrationsList: authMigrations([notesModule]), snapshot: false },
  });
  await orm.migrator.up();
  const { rows } = await database.pool.query(
    `select column_name as name, data_type as type from information_schema.columns where table_name = 'note' order by 1`,
  );
  expect(rows).toEqual([
    { name: 'expires_at', type: 'timestamp with time zone' },
    { name: 'id', type: 'uuid' },
    { name: 'text', type: 'character varying' },
    { name: 'user_id', type: 'uuid' },
  ]);
  await orm.migrator.down();
  await expect(database.pool.query('select 1 from note')).rejects.toThrow(/does not exist/);
  await orm.close(true);
  await database.drop();
});
