import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { UserAddresses } from '../../src/cli/user-addresses.js';
import { Database } from '../../src/database/database.js';
import { Table } from '../../src/database/table.js';
import { PasswordHasher } from '../../src/index.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { runInProcess, SOURCE_ORM } from '../support/run-in-process.js';
import { secrets } from '../support/secrets.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const SECRET = 'kUaJ3Yv0pZr8WqLx5Tn2Hc7Ds1Gb9Mf4EeRiOy6';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
  await app.database.pool.query('alter table auth_session set (fillfactor = 75)');
});
beforeEach(async () => {
  await app.database.pool.query('delete from app_user');
});
afterAll(() => app.close());

const sql = async (text: string, values: unknown[] = []) => (await app.database.pool.query(text, values)).rows;

/** Adds users, by address, and returns their ids. */
async function add(...emails: string[]): Promise<string[]> {
  const users = emails.map((email) => ({ id: randomUUID(), email }));
  await sql(
    `insert into app_user (id, email) select id, email from jsonb_to_recordset($1::jsonb) as u (id uuid, email text)`,
    [JSON.stringify(users)],
  );
  return users.map(({ id }) => id);
}

/** The SQL of the manual that normalises addresses. */
async function mending(): Promise<string> {
  const page = await readFile(new URL('../../docs/existing-users.md', import.meta.url), 'utf8');
  const [, sql = ''] = /^(update members set mail = [^;]+;)$/m.exec(page) ?? [];
  return sql.replaceAll('members', 'app_user').replace(/\bmail\b/g, 'email');
}

/** The findings that are not ok, by name. */
async function findings(settings: Record<string, string> = {}) {
  const own = {
    JWT_ALLAUTH_SECRET_KEY: SECRET,
    JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY,
    JWT_ALLAUTH_SESSION_LIFETIME: '90d',
    ...settings,
  };
  const { code, stdout, stderr } = await runInProcess(['check', '--json', '--orm', SOURCE_ORM], {
    DATABASE_URL: app.database.url,
    ...own,
  });
  const { ok, checks } = JSON.parse(stdout);
  expect([stderr, code]).toEqual(['', ok ? 0 : 1]);
  for (const { email } of await sql(`select email from app_user where email <> ''`))
    expect(stdout).not.toContain(email);
  const bad = checks.filter(({ status }: { status: string }) => status !== 'ok');
  return Object.fromEntries(bad.map(({ name, ...finding }: { name: string }) => [name, finding]));
}

const failed = (found: RegExp) => ({ status: 'failed', message: expect.stringMatching(found) });
const warning = (found: RegExp) => ({ status: 'warning', message: expect.stringMatching(found) });

/** Changes the tables while `work` runs. */
async function changed(change: string, back: string, work: () => Promise<void>): Promise<void> {
  await sql(change);
  try {
    await work();
  } finally {
    await sql(back);
  }
}

describe('check, about addresses', () => {
  test('finds no fault in addresses that the library wrote', async () => {
    await add(
      'ada@example.com',
      'ünï+tag@münchen.de',
      "o'hara@x.y-z.org",
      'a@localhost',
      '"a b"@example.com',
      'a@1.example.de2',
    );
    expect(await findings()).toEqual({});
  });

  test.each([
    ['upper case', 'Ada@Example.com'],
    ['a space', ' ada@example.com'],
    ['a line end', 'ada@example.com\n'],
    ['no NFC', 'ade\u0301@example.com'],
    ['a domain in punycode', 'ada@xn--mnchen-3ya.de'],
    ['a domain in full width', 'ada@ｅxample.com'],
    ['upper case outside of ASCII', 'ÄDA@example.com'],
  ])('fails for an address with %s, and names the user without the address', async (_what, email) => {
    await add('grace@example.com');
    const [id] = await add(email);
    expect(await findings()).toEqual({
      addresses: failed(new RegExp(`^1 user \\(${id}\\) cannot sign in, because .* not normalised`)),
    });
    expect((await app.client().login(email.trim())).status).toBe(401);
  });

  test('names three of many users, in order', async () => {
    const ids = (await add(...Array.from({ length: 5 }, (_, index) => `User${index}@example.com`))).sort();
    const named = `${ids.slice(0, 3).join(', ')}, …`;
    expect(await findings()).toEqual({ addresses: failed(new RegExp(`^5 users \\(${named}\\) cannot`)) });
  });

  test.each([
    ['in normal form', ['ada@example.com', 'Ada@example.com'], 1],
    ['in two other forms', ['ADA@example.com', 'Ada@example.com'], 2],
    ['by domains in two other forms', ['ada@xn--mnchen-3ya.de', 'Ada@MÜNCHEN.de'], 2],
  ])('fails if a mailbox has two users, one of them %s', async (_what, emails, odd) => {
    await add('grace@example.com', ...emails);
    expect(await findings()).toEqual({
      addresses: failed(new RegExp(`^${odd} user`)),
      'address-doubles': failed(/^1 user \((\S+) = (?!\1)\S+\) has the same mailbox as another user: .*existing-users/),
    });
  });

  test('is satisfied after the SQL of the manual, which refuses duplicates', async () => {
    const mend = await mending();
    await add('Ada@Example.com', '\tBob@example.com ', 'grace@example.com', 'e\u0301ve@example.com');
    await sql(mend);
    expect((await sql('select email from app_user order by email')).map(({ email }) => email)).toEqual([
      'ada@example.com',
      'bob@example.com',
      'grace@example.com',
      'éve@example.com',
    ]);
    expect(await findings()).toEqual({});
    await add('ADA@example.com');
    await expect(sql(mend)).rejects.toThrow(/app_user_email_unique/);
  });

  test('ignores upper case in a case-insensitive column', async () => {
    await changed(
      'create extension citext; alter table app_user alter email type citext',
      'alter table app_user alter email type varchar(254); drop extension citext',
      async () => {
        await add('Ada@Example.com');
        expect(await findings()).toEqual({});
        await add(' grace@example.com');
        expect(await findings()).toEqual({ addresses: failed(/^1 user /) });
        await add('Grace@Example.com');
        expect(await findings()).toEqual({
          addresses: failed(/^1 user /),
          'address-doubles': failed(/^1 user \((\S+) = (?!\1)\S+\) has the same mailbox/),
        });
      },
    );
  });

  test.each([1, 2, 3, 1000])('checks all addresses, %d at a time', async (page) => {
    await add(
      ...Array.from({ length: 4 }, (_, index) => `User${index}@example.com`),
      'ünï@example.com',
      'é@example.com',
    );
    await add(
      'user1@example.com',
      'USER2@example.com',
      ...Array.from({ length: 9 }, (_, n) => `plain${n}@example.com`),
    );
    const table = Table.named(app.orm, 'AppUser');
    const [addresses, doubles] = await new UserAddresses(new Database(app.orm), table, page).run();
    expect([addresses?.message, doubles?.message]).toEqual([
      expect.stringMatching(/^5 users /),
      expect.stringMatching(/^2 users /),
    ]);
  });
});

describe('check, about the index on addresses', () => {
  const UNIQUE = 'alter table app_user add constraint app_user_email_unique unique (email)';
  const none = 'alter table app_user drop constraint app_user_email_unique';
  const clear = `do $$ declare i text; begin
    for i in select indexrelid::regclass from pg_index where indrelid = 'app_user'::regclass and not indisprimary
    loop execute 'drop index ' || i; end loop; end $$`;
  const remedy = 'create unique index concurrently on \\S*"app_user" \\("email"\\)';
  const isMissing = failed(
    new RegExp(`^two users can have the same address, .* no unique index on "email": ${remedy}$`),
  );

  test.each([
    ['it is missing', 'select 1', isMissing],
    ['it is not unique', 'create index on app_user (email)', isMissing],
    ['it has a second column', 'create unique index on app_user (email, role)', isMissing],
    [
      'it was left invalid by a build that failed',
      `create unique index broken on app_user (email);
        update pg_index set indisvalid = false where indexrelid = 'broken'::regclass`,
      isMissing,
    ],
    ['it reads another column', 'create unique index on app_user ((email || role))', isMissing],
    [
      'it leaves rows out',
      'create unique index some_only on app_user (email) where is_active',
      failed(/; some_only is partial .* and does not count: create/),
    ],
    [
      'it is on lower(email)',
      'create unique index lowered on app_user (lower(email))',
      warning(/^lowered keeps addresses unique, but/),
    ],
  ])('fails or warns if %s', async (_what, change, found) => {
    await changed(`${none}; ${change}`, `${clear}; ${UNIQUE}`, async () => {
      expect(await findings()).toEqual({ 'address-index': found });
    });
  });

  test.each([
    ['is no constraint', 'create unique index on app_user (email)'],
    ['includes other columns', 'create unique index on app_user (email) include (role)'],
    ['is one of several', 'create unique index on app_user (email); create unique index on app_user (lower(email))'],
  ])('accepts one that %s', async (_what, change) => {
    await changed(`${none}; ${change}`, `${clear}; ${UNIQUE}`, async () => expect(await findings()).toEqual({}));
  });

  test('finds the duplicates that a missing index allowed', async () => {
    await changed(none, `delete from app_user; ${UNIQUE}`, async () => {
      await add('ada@example.com', 'ada@example.com', 'ada@example.com', 'grace@example.com', 'Bob@x.org', 'Bob@x.org');
      expect(await findings()).toEqual({
        'address-index': isMissing,
        addresses: failed(/^2 users/),
        'address-doubles': failed(/^3 users \(\S+ = (\S+), \S+ = \S+, \S+ = \S+\) have the same mailbox/),
      });
    });
  });
});

describe('check, about columns', () => {
  test.each([
    [
      'email',
      'varchar(253)',
      /^"email" holds 253 characters instead of 254: alter table \S*"app_user" alter column "email" type text$/,
    ],
    ['password_hash', 'varchar(96)', /^"password_hash" holds 96 characters instead of 97: /],
    ['first_name', 'char(149)', /^"first_name" holds 149 characters instead of 150: /],
    ['last_name', 'short_text', /^"last_name" holds 50 characters instead of 150: /],
  ])('fails if %s is %s', async (column, type, found) => {
    await sql('drop domain if exists short_text; create domain short_text as varchar(50)');
    const before = column === 'email' ? 'varchar(254)' : column === 'password_hash' ? 'text' : 'varchar(150)';
    const alter = (to: string) => `alter table app_user alter ${column} type ${to}`;
    await changed(alter(type), alter(before), async () => {
      expect(await findings()).toEqual({ columns: failed(found) });
      await sql(`${(await columnRemedy()).replace(/^.*?: /, '')}`);
      expect(await findings()).toEqual({});
    });
  });

  const columnRemedy = async () => ((await findings())['columns'] as { message: string }).message;

  test('accepts columns that are just wide enough', async () => {
    const wide = 'alter table app_user alter password_hash type varchar(97)';
    await changed(wide, 'alter table app_user alter password_hash type text', async () =>
      expect(await findings()).toEqual({}),
    );
  });
});

describe('check, about hashes', () => {
  const hashed = async (hash: string | null) => {
    const [id] = await add(`${randomUUID()}@example.com`);
    await sql('update app_user set password_hash = $1 where id = $2', [hash, id]);
  };

  test('accepts those of the library, and users without one', async () => {
    await hashed(await new PasswordHasher().hash('a long sentence'));
    await hashed(null);
    await hashed('');
    await hashed('$argon2i$v=19$m=512,t=2,p=2$aI2R0hpDyLm3ltLa+1/rvQ$LqPKjd6n8yniKtAithoR7A');
    expect(await findings()).toEqual({});
  });

  test.each([
    ['bcrypt', '$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW'],
    ['Django', 'argon2$argon2id$v=19$m=102400,t=2,p=8$c29tZXNhbHQ$Z29vZCBoYXNoIG9mIDMyIGJ5dGVz'],
    ['a column that was too short', '$argon2id$v=19$m=19456,t=2,p=1$op0sx3mg0rrd0UvDlbGKuQ$Si06k3'],
    ['argon2 with a space behind it', '$argon2i$v=19$m=512,t=2,p=2$aI2R0hpDyLm3ltLa+1/rvQ$LqPKjd6n8yniKtAithoR7A '],
  ])('warns about a hash of %s, and never shows it', async (_what, hash) => {
    secrets.add(hash);
    await hashed(hash);
    expect(await findings()).toEqual({ hashes: warning(/^1 user has a password hash that is not argon2/) });
    expect(await new PasswordHasher().verify(hash, 'a long sentence')).toBe(false);
    await hashed(`${hash} `);
    expect(await findings()).toEqual({ hashes: warning(/^2 users have /) });
  });
});

describe('check, about confirmed addresses', () => {
  test('warns under EMAIL_VERIFICATION none, with the SQL that marks them as unconfirmed, and not in another mode', async () => {
    expect((await app.client().register('ada@example.com')).status).toBe(201);
    const found = await findings();
    expect(found).toEqual({ verification: warning(/^1 user has an address that is marked as confirmed, but/) });
    const mode = { JWT_ALLAUTH_PUBLIC_URL: 'https://app.example.com', JWT_ALLAUTH_SMTP_URL: 'smtps://127.0.0.1' };
    const more = { ...mode, JWT_ALLAUTH_EMAIL_FROM: 'a@example.com', JWT_ALLAUTH_EMAIL_VERIFICATION: 'mandatory' };
    expect(await findings(more)).toEqual({});
    const { message } = found['verification'] as { message: string };
    await sql(message.replace(/^.*, (?=update)/, ''));
    expect(await sql('select email_verified from app_user')).toEqual([{ email_verified: false }]);
    expect(await findings()).toEqual({});
  });
});
