import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect, parseEnv } from 'node:util';
import { Container } from 'typedi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createJwtAllauth, RefreshToken, type SettingsInput, settingsFromEnv } from '../../src/index.js';
import { resolveSettings } from '../../src/settings/settings.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { faultsOf } from '../support/setting-faults.js';
import { createTestApp, SECRET, type TestApp } from '../support/test-app.js';

const EXAMPLE = new URL('../../.env.example', import.meta.url);
const fromEnv = (variables: Record<string, string>) =>
  settingsFromEnv({ JWT_ALLAUTH_SECRET_KEY: SECRET, JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY, ...variables });
/** Every fault as one line, as it is printed. */
const linesOf = (make: () => unknown) => faultsOf(make).map(({ setting, message }) => `${setting} ${message}`);

describe('a fault uses the name of the variable or of the property, as it was given', () => {
  const LINKS = 'links in mails begin with it';
  test.each<[property: keyof SettingsInput, value: string, variable: string, message: (name: string) => string]>([
    ['emailVerification', 'mandatory', 'EMAIL_VERIFICATION', (url) => `needs ${url}: ${LINKS}`],
    ['invitations', 'true', 'INVITATIONS', (url) => `needs ${url}: ${LINKS}`],
  ])('if %s requires another setting', (property, value, variable, message) => {
    expect(linesOf(() => fromEnv({ [`JWT_ALLAUTH_${variable}`]: value }))).toEqual([
      `JWT_ALLAUTH_${variable} ${message('JWT_ALLAUTH_PUBLIC_URL')}`,
    ]);
    expect(
      linesOf(() => resolveSettings({ secretKey: SECRET, encryptionKeys: ENCRYPTION_KEY, [property]: value })),
    ).toEqual([`${property} ${message('publicUrl')}`]);
  });

  test('in every message that refers to another setting', () => {
    const lines = linesOf(() =>
      fromEnv({
        JWT_ALLAUTH_ADMIN_MANAGED_REGISTRATION: 'true',
        JWT_ALLAUTH_SMTP_URL: 'smtps://mail.example.com',
        JWT_ALLAUTH_SESSION_ON_EMAIL_VERIFICATION: 'true',
        JWT_ALLAUTH_REFRESH_TOKEN_AS_COOKIE: 'false',
        JWT_ALLAUTH_PRIVATE_KEY: 'x',
        JWT_ALLAUTH_PRIVATE_KEY_FILE: 'y',
        JWT_ALLAUTH_ALGORITHM: 'RS256',
      }),
    );
    expect(lines.join('\n')).toContain(
      'needs JWT_ALLAUTH_INVITATIONS: without invitations no account could be created',
    );
    expect(lines.join('\n')).toContain('is required with JWT_ALLAUTH_SMTP_URL');
    expect(lines.join('\n')).toContain('in a cookie (JWT_ALLAUTH_REFRESH_TOKEN_AS_COOKIE)');
    expect(lines.join('\n')).toContain('is set together with JWT_ALLAUTH_PRIVATE_KEY: set one of them');
    expect(lines.join('\n')).toContain('choose another JWT_ALLAUTH_ALGORITHM');
    expect(lines.join('\n')).not.toMatch(/[{}]|publicUrl|smtpUrl/);
  });

  describe('also if it is found after the settings were read', () => {
    let app: TestApp;
    let folder: string;
    beforeAll(async () => {
      app = await createTestApp();
      folder = await mkdtemp(join(tmpdir(), 'jwt-allauth-names-'));
      await writeFile(join(folder, 'done.page.eta'), '<% if ( %>');
    });
    afterAll(async () => {
      await app.close();
      await rm(folder, { recursive: true });
    });

    const create = (settings: SettingsInput) =>
      createJwtAllauth({ orm: app.orm, settings, container: Container.of('names') });
    const start = (variables: Record<string, string>) => create(fromEnv(variables));

    test.each<[what: string, variables: () => Record<string, string>, fault: RegExp]>([
      [
        'a folder',
        () => ({ JWT_ALLAUTH_TEMPLATES_DIR: '/nowhere' }),
        /^ {2}JWT_ALLAUTH_TEMPLATES_DIR is not a folder/m,
      ],
      [
        'a template',
        () => ({ JWT_ALLAUTH_TEMPLATES_DIR: folder }),
        /^ {2}JWT_ALLAUTH_TEMPLATES_DIR has done\.page\.eta/m,
      ],
      [
        'a mail server',
        () => ({ JWT_ALLAUTH_PUBLIC_URL: 'https://x.example' }),
        /^ {2}JWT_ALLAUTH_SMTP_URL is required in production if JWT_ALLAUTH_PUBLIC_URL is set/m,
      ],
    ])('%s', async (_, variables, fault) => {
      await expect(start(variables())).rejects.toThrow(fault);
      const settings = { ...fromEnv(variables()), refreshToken: RefreshToken };
      await expect(create(settings)).rejects.toThrow(fault);
    });

    test('but a value that the app has replaced has the name of its property', async () => {
      const settings = { ...fromEnv({}), publicUrl: 'http://x.example', issuer: '' };
      await expect(create(settings)).rejects.toThrow(
        /^ {2}issuer must be a text that is not empty[\s\S]*^ {2}publicUrl must be https in production/m,
      );
      const withUrl = { ...fromEnv({}), publicUrl: 'https://x.example' };
      await expect(create(withUrl)).rejects.toThrow(/^ {2}JWT_ALLAUTH_SMTP_URL is required .* if publicUrl is set/m);
    });

    test('in warnings as well', async () => {
      const log: string[] = [];
      const note = (_: object, message: string) => void log.push(message);
      const logger = { info: note, warn: note, error: note };
      const env = { JWT_ALLAUTH_SECRET_KEY: SECRET, NODE_ENV: 'development' };
      const settings = { ...settingsFromEnv(env), refreshToken: RefreshToken };
      const auth = await createJwtAllauth({ orm: app.orm, settings, logger, container: Container.of('names') });
      await auth.close();
      expect(log).toEqual([expect.stringMatching(/^JWT_ALLAUTH_ENCRYPTION_KEYS is not set: /)]);
    });

    test('and spread settings show no key either', async () => {
      const key = 'sesame'.repeat(8);
      const spread = { ...fromEnv({ JWT_ALLAUTH_SECRET_KEY: key }), refreshToken: RefreshToken };
      const auth = await create(spread);
      const shown = [inspect(auth.settings, { depth: 9, showHidden: true }), JSON.stringify(auth.settings)];
      await auth.close();
      for (const text of shown) {
        expect(text).toContain('[redacted]');
        expect(text).not.toMatch(new RegExp(`sesame|${ENCRYPTION_KEY}|Symbol\\(names`));
      }
    });
  });
});

describe('a # in a .env file', () => {
  test('cuts off an unquoted value, and the fault shows the received value', () => {
    const env = parseEnv('JWT_ALLAUTH_REFRESH_TOKEN=./dist/token.js#Token\n') as Record<string, string>;
    expect(linesOf(() => fromEnv(env))).toEqual([
      'JWT_ALLAUTH_REFRESH_TOKEN must be a class or module#Export, but is "./dist/token.js"; ' +
        'in a .env file a # needs quotes',
    ]);
    const quoted = parseEnv('JWT_ALLAUTH_REFRESH_TOKEN="./dist/token.js#Token"\n') as Record<string, string>;
    expect(fromEnv(quoted).refreshToken).toBe('./dist/token.js#Token');
  });

  test('cuts no line of .env.example after it is uncommented', async () => {
    const { readFile } = await import('node:fs/promises');
    const lines = (await readFile(EXAMPLE, 'utf8')).split('\n').filter((line) => /^#[A-Z_]+=/.test(line));
    for (const line of lines) {
      const [, name = '', value = ''] = /^#([A-Z_]+)=(.*)$/.exec(line) ?? [];
      expect(parseEnv(line.slice(1))[name]).toBe(value.replace(/^(["'])(.*)\1$/, '$2'));
    }
  });

  test('never causes a message that contains a secret', () => {
    const env = parseEnv('JWT_ALLAUTH_SECRET_KEY=sesame#open\nJWT_ALLAUTH_SMTP_URL=sesame#open') as Record<
      string,
      string
    >;
    expect(linesOf(() => settingsFromEnv(env)).join()).not.toContain('sesame');
  });
});
