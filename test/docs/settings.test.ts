import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { describe, expect, test } from 'vitest';
import { currentIdentity } from '../../src/http/refresh-cookie-identity.js';
import { SettingsError, settingsFromEnv } from '../../src/index.js';
import { settingNames } from '../../src/settings/settings.js';
import { variableOf } from '../../src/settings/settings-from-env.js';
import { generateKeys } from '../../src/tokens/generate-keys.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { OPTIONAL_MODULES, pageWithModules, SHIPPED_MODULES } from '../support/shipped-modules.js';
import { SECRET } from '../support/test-app.js';

type Variables = Record<string, string>;

const PREFIX = 'JWT_ALLAUTH_';
const REQUIRED = { JWT_ALLAUTH_SECRET_KEY: SECRET, JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY };
const [PAIR, OTHER_PAIR] = [await generateKeys('ES256'), await generateKeys('ES256')];
const privatePem = 'privateKey' in PAIR ? PAIR.privateKey : '';
const publicPem = 'publicKey' in OTHER_PAIR ? OTHER_PAIR.publicKey : '';

/** The rows of docs/settings.md that begin with a variable. */
const rows = [...pageWithModules('settings').matchAll(/^\| `(JWT_ALLAUTH_\w+)` \|(.*)\|(.*)\|(.*)\|$/gm)].map(
  ([, variable = '', initial = '', values = '', meaning = '']) => ({
    variable,
    property: propertyOf(variable),
    initial: initial.trim(),
    values: values.trim(),
    meaning: meaning.trim(),
  }),
);

function propertyOf(variable: string): string {
  return settingNames(SHIPPED_MODULES).find((name) => variableOf(name) === variable) ?? variable;
}

/** Other settings that a value of a setting requires. */
const COMPANIONS: Readonly<Record<string, Variables>> = {
  REFRESH_TOKEN_TRANSPORT: {},
  REFRESH_TOKEN_COOKIE_SAME_SITE: { REFRESH_TOKEN_COOKIE_SECURE: 'true' },
  REFRESH_TOKEN_COOKIE_PARTITIONED: { REFRESH_TOKEN_COOKIE_SECURE: 'true', REFRESH_TOKEN_COOKIE_SAME_SITE: 'none' },
  EMAIL_VERIFICATION: { PUBLIC_URL: 'https://api.example.com' },
  INVITATIONS: { PUBLIC_URL: 'https://api.example.com' },
  ADMIN_MANAGED_REGISTRATION: { PUBLIC_URL: 'https://api.example.com', INVITATIONS: 'true' },
  SMTP_URL: { EMAIL_FROM: 'no-reply@example.com' },
  PRIVATE_KEY: { ALGORITHM: 'ES256', SECRET_KEY: '' },
};

const keyed = (algorithm: string): Variables =>
  algorithm.startsWith('HS') ? { SECRET_KEY: `${SECRET}${SECRET}` } : { SECRET_KEY: '', PRIVATE_KEY: 'x' };

/** How the settings read one variable in development: the settings, or the message of the fault. */
function take(variable: string, value: string, env: Variables = { NODE_ENV: 'development' }) {
  const name = variable.slice(PREFIX.length);
  const more: Variables = { ...COMPANIONS[name], ...(name === 'ALGORITHM' && keyed(value)) };
  const others = Object.entries(more).map(([other, text]) => [PREFIX + other, text] as const);
  const all: Variables = { ...REQUIRED, ...env, ...Object.fromEntries(others), [variable]: value };
  const given = Object.fromEntries(Object.entries(all).filter(([, text]) => text !== ''));
  try {
    return { settings: settingsFromEnv(given, OPTIONAL_MODULES) as unknown as Record<string, unknown> };
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return { fault: error.faults.find(({ setting }) => setting === variable)?.message };
  }
}

const literalsOf = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, literal = '']) => literal);

/** Values that a kind of setting accepts and refuses, by its description on the page. More detail is in the tests. */
const SAMPLES: readonly (readonly [kind: RegExp, good: readonly string[], bad: readonly string[]])[] = [
  [/^text of 32, 48 or 64/, [SECRET], ['a'.repeat(31)]],
  [/^PEM$/, [privatePem, privatePem.replaceAll('\n', '\\n')], ['no key']],
  [/^PEM, `secret:` lines$/, [publicPem, `secret:${SECRET}`], [privatePem, SECRET]],
  [/^list of keys: 32 bytes/, [ENCRYPTION_KEY, `${ENCRYPTION_KEY},${'A'.repeat(43)}`], ['c2hvcnQ']],
  [/^`module#Export`$/, ['./dist/token.js#Token'], ['./dist/token.js']],
  [/^JSON object$/, ['{"organization_id":"organization.id"}'], ['[]', 'organization']],
  [
    /^JSON list of providers$/,
    ['[]', '[{"id":"corp","issuer":"https://login.example.com","clientId":"app"}]'],
    ['{}', 'corp', '[{"id":"Corp","issuer":"https://login.example.com","clientId":"app"}]'],
  ],
  [
    /^list of URLs$/,
    ['https://app.example.com/in,myapp://signed-in'],
    ['app.example.com', 'https://app.example.com/?a=b'],
  ],
  [/^text$/, ['https://api.example.com'], []],
  [/^cookie name$/, ['my_cookie'], ['my cookie']],
  [/^path that starts with `\/`$/, ['/', '/auth'], ['auth']],
  [/^domain$/, ['example.com'], ['https://example.com']],
  [/^list of domains$/, ['example.com,app.example.com'], ['https://example.com']],
  [/^list of paths$/, ['/auth,/api'], ['auth']],
  [/^list of origins$/, ['https://app.example.com,capacitor://localhost'], ['https://app.example.com/path']],
  [
    /^list of web origins$/,
    ['https://app.example.com', `http://localhost:3000,android:apk-key-hash:${'A'.repeat(43)}`],
    ['https://app.example.com/path', 'android:apk-key-hash:short'],
  ],
  [/^limits$/, ['off', '5/1h/account,50/1h/ip,3/1m/account+ip'], ['5', '5/1h', '5/1h/user']],
  [/^limits with the scope `ip`$/, ['off', '5/1h/ip,50/1d/ip'], ['5/1h/account']],
  [/^limits with the scope `account`$/, ['5/1h/account,50/1d/account'], ['off', '5/1h/ip']],
  [/^text without a colon$/, ['Example'], ['Example: Shop']],
  [/^URL$/, ['https://app.example.com/path', 'http://127.0.0.1:3000'], ['app', 'ftp://a.b', 'https://a:b@c.de']],
  [/^`smtp:\/\/` or `smtps:\/\/` URL$/, ['smtp://mail.test', 'smtps://user:password@mail.test'], ['https://mail.test']],
  [
    /^`postgres:\/\/` or `postgresql:\/\/` URL$/,
    ['postgres://db.test', 'postgresql://app:password@db.test:5432/app'],
    ['https://db.test', 'db.test'],
  ],
  [/^address, or name and `<address>`$/, ['a@example.com', 'Example <a@example.com>'], ['Example']],
  [/^list of roles$/, ['1000,900', '5'], ['staff']],
  [/^path$/, [], []], // existing paths are tested elsewhere: key-settings.test.ts, mail-templates.test.ts
];

const DURATION = /^duration, `(\d+)s`(?: or more| to `(\d+)m`)$/;
const NUMBER = /^number, `(\d+)`(?: or more| to `(\d+)`)$/;
const ENUMERATION = /^`[\w-]+`(, `[\w-]+`)+$/;

test('there is a row for each setting, and no other', () => {
  const variables = settingNames(SHIPPED_MODULES)
    .filter((name) => name !== 'development')
    .map(variableOf);
  expect(rows.map(({ variable }) => variable).sort()).toEqual([...variables].sort());
});

test('the meaning in each row is made of sentences, and names other settings by their variables', () => {
  const variables = rows.map(({ variable }) => variable);
  for (const { variable, meaning } of rows) {
    expect(meaning.endsWith('.'), variable).toBe(true);
    for (const [word] of meaning.matchAll(/\b[A-Z]+_[A-Z_]+\b/g)) expect(variables, variable).toContain(word);
  }
});

describe.each(rows)('$variable', ({ variable, property, initial, values }) => {
  test('has the default that the page states', () => {
    const defaults = settingsFromEnv({ ...REQUIRED, NODE_ENV: 'production' }, OPTIONAL_MODULES);
    const effective: Record<string, unknown> = {
      refreshTokenTransport: defaults.refreshTokenAsCookie ? 'cookie' : 'body',
      refreshTokenCookieName: currentIdentity(defaults).name,
      refreshTokenCookieSecure: true,
      secretKey: undefined,
      encryptionKeys: undefined,
    };
    const isSet = property in effective;
    const value = isSet ? effective[property] : (defaults as unknown as Record<string, unknown>)[property];
    if (initial === '–') {
      expect(Array.isArray(value) ? value : [value]).toEqual(Array.isArray(value) ? [] : [undefined]);
    } else {
      const [literal = ''] = literalsOf(initial);
      expect(take(variable, literal, { NODE_ENV: 'production' }).settings?.[property]).toEqual(value);
    }
  });

  test('accepts the values that the page states, and no others', () => {
    const [, from, to] = DURATION.exec(values) ?? [];
    const [, least, most] = NUMBER.exec(values) ?? [];
    if (ENUMERATION.test(values)) {
      const fault = take(variable, 'anything-else').fault ?? '';
      expect(fault).toMatch(/^must be /);
      const named = fault
        .split(';')[0]
        ?.replace(/^must be (one of )?/, '')
        .split(/, | or /);
      expect(literalsOf(values)).toEqual(named);
      const isKey = property === 'algorithm'; // each algorithm needs its own key: keys.test.ts
      for (const literal of isKey ? [] : literalsOf(values)) expect(take(variable, literal).fault).toBeUndefined();
    } else if (from !== undefined) {
      expect(take(variable, `${from}s`).settings?.[property]).toBe(Number(from));
      if (from !== '0') expect(take(variable, '0s').fault).toContain(`at least ${from}s`);
      const longest = to ? Number(to) * 60 : 90 * 86_400;
      expect(take(variable, `${longest}s`).settings?.[property]).toBe(longest);
      if (to) expect(take(variable, `${longest + 1}s`).fault).toContain(`at most ${to}m`);
      expect(take(variable, 'soon').fault).toMatch(/^must be a duration/);
    } else if (least !== undefined) {
      for (const text of [least, most ?? '1000']) expect(take(variable, text).settings?.[property]).toBe(Number(text));
      expect(take(variable, String(Number(least) - 1)).fault).toContain(`at least ${least}`);
      if (most) expect(take(variable, String(Number(most) + 1)).fault).toContain(`at most ${most}`);
    } else {
      const [, good, bad] = SAMPLES.find(([kind]) => kind.test(values)) ?? [];
      expect(good, `no sample for "${values}"`).toBeDefined();
      for (const text of good ?? []) expect(take(variable, text).fault, text).toBeUndefined();
      for (const text of good ?? []) expect(take(variable, text).settings, text).toBeDefined();
      for (const text of bad ?? []) expect(take(variable, text).fault, text).toBeDefined();
    }
  });
});

test('production refuses what the page says', () => {
  const production = { NODE_ENV: 'production' };
  for (const name of ['HTTP_ONLY', 'SECURE']) {
    expect(take(`JWT_ALLAUTH_REFRESH_TOKEN_COOKIE_${name}`, 'false', production).fault).toMatch(/in production/);
  }
  expect(take('JWT_ALLAUTH_PUBLIC_URL', 'http://app.example.com', production).fault).toMatch(/https in production/);
  expect(() => settingsFromEnv({ JWT_ALLAUTH_SECRET_KEY: SECRET })).toThrow(
    /ENCRYPTION_KEYS must be set in production/,
  );
});

test('.env.example has each setting once, with a value that works', () => {
  const example = readFileSync('.env.example', 'utf8');
  const lines = [...example.matchAll(/^#?(JWT_ALLAUTH_\w+)=(.*)$/gm)];
  expect(lines.map(([, variable]) => variable).sort()).toEqual(rows.map(({ variable }) => variable).sort());
  for (const [line, variable = ''] of lines) {
    const isMaterial = /KEYS?(_FILE)?$|TEMPLATES_DIR$/.test(variable); // a placeholder, or a file that does not exist
    const value = parseEnv(line.replace(/^#/, ''))[variable] ?? '';
    if (!isMaterial) expect(take(variable, value).fault, line).toBeUndefined();
  }
});
