import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { DEFAULT_PAGES } from '../../src/http/pages/default-pages.js';
import { settingsFromEnv } from '../../src/index.js';
import type { MailWords } from '../../src/mail/mail-words.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { createMailApp, type MailApp, PUBLIC_URL } from '../support/mail-app.js';
import { blocksOf, pages, rowsOf } from '../support/manual.js';
import { ManualApp } from '../support/manual-app.js';
import { MODULE_PAGES, OPTIONAL_MODULES, SHIPPED_MODULES } from '../support/shipped-modules.js';
import { SECRET } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';

const NEW = 'quite another sentence to say';
const MODES = ['none', 'optional', 'mandatory'] as const;

const apps: MailApp[] = [];
let built: ManualApp;
beforeAll(async () => {
  built = await ManualApp.build();
});
afterAll(() => built.remove());
afterEach(async () => {
  vi.unstubAllGlobals();
  for (const app of apps.splice(0)) await app.close();
});

async function start(...args: Parameters<typeof createMailApp>): Promise<MailApp> {
  const app = await createMailApp(...args);
  apps.push(app);
  return app;
}

/** The cells of all tables in docs/accounts-by-mail.md. */
const rowsOfModes = (pages.get('docs/accounts-by-mail.md') ?? '')
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .map((line) =>
    line
      .split('|')
      .slice(1)
      .map((cell) => cell.trim()),
  );

/** A statement of the manual, changed for the users of the tests. */
const forTestUsers = (sql: string) => sql.replaceAll('"user"', 'app_user');

describe('docs/accounts-by-mail.md', () => {
  const [switchOn = ''] = blocksOf('accounts-by-mail', 'sh');
  const [unproved = '', administrator = ''] = blocksOf('accounts-by-mail', 'sql').map(forTestUsers);

  test('switches accounts by mail on, in production', () => {
    const lines = execFileSync('sh', ['-c', `${switchOn}\nexec env`], {
      env: { PATH: '/usr/bin:/bin' },
      encoding: 'utf8',
    });
    const entries = lines.split('\n').map((line) => line.split(/=(.*)/s) as [string, string]);
    const variables = Object.fromEntries(entries.filter(([name]) => name.startsWith('JWT_ALLAUTH_')));
    const secrets = { JWT_ALLAUTH_SECRET_KEY: SECRET, JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY };
    expect(settingsFromEnv({ ...variables, ...secrets, NODE_ENV: 'production' })).toMatchObject({
      publicUrl: 'https://app.example.com',
      emailFrom: 'Example <no-reply@example.com>',
      emailVerification: 'mandatory',
    });
  });

  test.each(MODES)('describes the mode %s correctly', async (mode) => {
    const app = await start({ emailVerification: mode });
    const column = MODES.indexOf(mode) + 1;
    const cellOf = (what: string) => rowsOfModes.find(([name]) => name === what)?.[column] ?? '';
    const signUp = (email: string) => app.client().register(email);
    const first = await signUp('ada@example.com');
    const cell = cellOf('sign-up answers');
    expect(first.status).toBe(Number(cell.slice(0, 3)));
    expect('access' in first.body).toBe(cell.includes('tokens'));
    expect('detail' in first.body).toBe(cell.includes('detail'));
    const before = await app.client().login('ada@example.com');
    const [status, code] = cellOf('sign-in before the address is confirmed').split(' ');
    expect([String(before.status), before.body.code && `\`${before.body.code}\``]).toEqual([status, code]);
    const stored = async () => (await app.database.pool.query('select email_verified from app_user')).rows;
    const isVerified = cellOf('`email_verified` after sign-up');
    expect(await stored()).toEqual(/^`/.test(isVerified) ? [{ email_verified: isVerified.startsWith('`true`') }] : []);
    if (cell.includes('mail')) expect((await app.open(await app.linkTo('ada@example.com'))).status).toBe(200);
    expect(await stored()).toEqual([{ email_verified: true }]);
    const again = await signUp('ada@example.com');
    expect(again.status).toBe(Number(/\d{3}/.exec(cellOf('sign-up with an address that is taken'))?.[0]));
    if (mode === 'mandatory') expect((await app.mailsTo('ada@example.com', 2)).at(-1)?.subject).toMatch(/account/);
  });

  test('marks addresses as unconfirmed before the switch to another mode', async () => {
    const app = await start({ emailVerification: 'none' });
    await app.signedUp('ada@example.com');
    await app.database.pool.query(unproved);
    const strict = await start({ emailVerification: 'mandatory' }, { database: app.database });
    expect((await strict.client().login('ada@example.com')).body.code).toBe('email_not_verified');
    await strict.client().send('POST', '/auth/registration/verification/resend', { email: 'ada@example.com' });
    expect((await strict.open(await strict.linkTo('ada@example.com'))).status).toBe(200);
    expect((await strict.client().login('ada@example.com')).status).toBe(200);
    apps.reverse(); // the first owns the database
  });

  test('inserts a first administrator, who signs in after a reset through the form of the app', async () => {
    const app = await start({ invitations: true, adminManagedRegistration: true });
    await app.database.pool.query(administrator);
    await app.client().send('POST', '/auth/password/reset', { email: 'admin@example.com' });
    const opened = await app.open(await app.linkTo('admin@example.com'));
    const cookie = [...opened.cookies.values()].map((each) => each.split(';')[0]).join('; ');
    const { setNewPassword } = await import(join(built.directory, 'dist/new-password.js'));
    const real = globalThis.fetch;
    vi.stubGlobal('fetch', (url: string, { headers, ...init }: RequestInit) =>
      real(url.replace('https://app.example.com', app.url), { ...init, headers: { ...headers, cookie } }),
    );
    await expect(setNewPassword('1234')).rejects.toThrow(/^must /);
    const access = await setNewPassword(NEW);
    await expect(setNewPassword(NEW)).rejects.toThrow('The link was used or has expired.');
    vi.unstubAllGlobals();
    const invited = await app
      .client()
      .send(
        'POST',
        '/auth/registration/user-register',
        { email: 'grace@example.com', role: 0 },
        { authorization: `Bearer ${access}` },
      );
    expect(invited.status).toBe(201);
  });
});

describe('docs/mails.md', () => {
  const ofModules = OPTIONAL_MODULES.flatMap(({ mails, pages: own }) =>
    Object.keys({ ...mails, ...own }).map((name) => `\`${name}\``),
  );
  const onPages = MODULE_PAGES.flatMap(rowsOf).filter(([name = '']) => ofModules.includes(name));
  const rows = [...rowsOf('mails'), ...onPages];

  test('has each mail and page, with the data that its template uses', () => {
    const mails: Record<string, MailWords> = Object.assign({}, ...SHIPPED_MODULES.map(({ mails: words }) => words));
    const modulePages: Record<string, string> = Object.assign({}, ...SHIPPED_MODULES.map(({ pages: own }) => own));
    const templates = new Map([
      ...Object.entries(mails).map(([name, { action, hint, ...words }]) => {
        const link = action || hint ? 'it.link' : '';
        return [name, Object.values(words).join() + link] as const;
      }),
      ...Object.entries({ ...DEFAULT_PAGES, ...modulePages }),
    ]);
    expect(rows.map(([name = '']) => name.slice(1, -1)).sort()).toEqual([...templates.keys()].sort());
    for (const [name = '', , data = ''] of rows) {
      const template = templates.get(name.slice(1, -1)) ?? '';
      const used = [...template.matchAll(/\bit\.(\w+)/g)].map(([, field]) => field).filter((field) => field !== 'app');
      const named = [...data.matchAll(/`(\w+)`/g)].map(([, field]) => field);
      expect(new Set(named), name).toEqual(new Set(used));
    }
  });

  test('has a template that works', async () => {
    const templatesDir = await mkdtemp(join(tmpdir(), 'jwt-allauth-templates-'));
    await writeFile(join(templatesDir, 'invitation.text.eta'), blocksOf('mails', 'text')[0] ?? '');
    const app = await start({ invitations: true, templatesDir });
    const staff = await app.signedUp('staff@example.com');
    await app.database.pool.query('update app_user set role = 1000');
    await staff.refresh();
    const invitation = { email: 'grace@example.com', role: 0 };
    await staff.send('POST', '/auth/registration/user-register', invitation, staff.bearer);
    const [mail] = await app.mailsTo('grace@example.com');
    expect(mail?.subject).toBe(`Welcome to ${new URL(PUBLIC_URL).host}`);
    expect(mail?.text).toMatch(/^Choose a password within 7 days:\nhttp:\/\/accounts\.test\/auth\/\S+\s*$/);
    await rm(templatesDir, { recursive: true });
  });

  test('has a mailer that sends mails to a server over HTTP, and throws if that server refuses one', async () => {
    const { QueueMailer } = await import(join(built.directory, 'dist/queue-mailer.js'));
    const sent: unknown[] = [];
    let status = 202;
    vi.stubGlobal('fetch', async (url: string, { body }: { body: string }) => {
      sent.push([url, JSON.parse(body)]);
      return new Response('', { status });
    });
    const mail = { to: 'ada@example.com', subject: 's', text: 't', html: 'h', messageId: '<1@jwt-allauth>' };
    await new QueueMailer().send(mail);
    expect(sent).toEqual([['https://mail.example.com/send', { from: 'no-reply@example.com', ...mail }]]);
    status = 503;
    await expect(new QueueMailer().send(mail)).rejects.toThrow('503');
  });
});

describe('docs/operating.md', () => {
  test('has the statements after a restore: no old link works, and no old mail is sent again', async () => {
    const app = await start({ emailVerification: 'optional' });
    await app.signedUp('ada@example.com');
    await app.client().send('POST', '/auth/password/reset', { email: 'ada@example.com' });
    const link = (await app.mailsTo('ada@example.com', 2)).at(-1)?.text?.match(/http:\S+/)?.[0] ?? '';
    expect((await app.open(link)).status).toBe(303);
    await app.database.pool.query(
      `insert into auth_outbox_mail (id, recipient, content, attempts, next_attempt_at, expires_at)
       values (gen_random_uuid(), 'ada@example.com', '', 0, now(), now() + interval '1 day')`,
    );
    await app.database.pool.query(blocksOf('operating', 'sql')[1] ?? '');
    expect((await app.open(link)).status).toBe(400);
    expect(await app.auth.outbox.deliver()).toBe(0);
    expect((await app.client().login('ada@example.com', PASSWORD)).status).toBe(200);
  });
});
