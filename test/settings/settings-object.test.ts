import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { RefreshToken, Settings, type SettingsInput, settingsFromEnv } from '../../src/index.js';
import { resolveSettings } from '../../src/settings/settings.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { faultOf, faultsOf, refusedSettings } from '../support/setting-faults.js';

const secretKey = 'a secret of the settings test that is long enough for HS512, too..';

const resolve = (input: Record<string, unknown> = {}) =>
  resolveSettings({ secretKey, encryptionKeys: ENCRYPTION_KEY, ...input } as SettingsInput);

describe('settings as an object', () => {
  test('they have the same defaults as the variables', () => {
    expect({ ...resolve() }).toStrictEqual({
      ...settingsFromEnv({ JWT_ALLAUTH_SECRET_KEY: secretKey, JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY }),
    });
  });

  test('an undefined setting has its default', () => {
    const undefinedOnes = Object.fromEntries(Object.keys(new Settings()).map((property) => [property, undefined]));
    expect({ ...resolve({ ...undefinedOnes, secretKey, encryptionKeys: ENCRYPTION_KEY }) }).toStrictEqual({
      ...resolve(),
    });
  });

  test('durations are seconds or strings; other settings are typed or the string of the variable', () => {
    const typed = resolve({
      accessTokenLifetime: 60,
      refreshTokenLifetime: 7200,
      refreshReuseGrace: 0,
      refreshTokenAsCookie: false,
      userAttributes: { org: 'organization.id' },
      trustedOrigins: ['https://app.example.com'],
      loginRateLimit: [{ count: 5, seconds: 60, scope: 'ip' }],
    });
    const strings = resolve({
      accessTokenLifetime: '1m',
      refreshTokenLifetime: '2h',
      refreshReuseGrace: '0s',
      refreshTokenAsCookie: 'false',
      userAttributes: '{"org":"organization.id"}',
      trustedOrigins: 'https://app.example.com',
      loginRateLimit: '5/1m/ip',
    });
    expect({ ...typed }).toStrictEqual({ ...strings });
    expect(typed.accessTokenLifetime).toBe(60);
  });

  test('the token class can be passed instead of its path', () => {
    class Own extends RefreshToken {}
    expect(resolve({ refreshToken: Own }).refreshToken).toBe(Own);
  });

  test('resolved settings are accepted unchanged', () => {
    const once = settingsFromEnv({
      JWT_ALLAUTH_SECRET_KEY: secretKey,
      JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY,
      JWT_ALLAUTH_USER_ATTRIBUTES: '{"a":"email"}',
    });
    expect({ ...resolveSettings(once) }).toStrictEqual({ ...once });
  });

  test.each<[property: string, ...values: unknown[]]>([
    ['accessTokenLifetime', 0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '60', null, [60], true, {}],
    ['refreshTokenLifetime', 0, 2 ** 53, 1e14],
    ['sessionLifetime', 0, null, 'none'],
    ['refreshReuseGrace', -1, 0.5, null],
    ['refreshTokenAsCookie', 'yes', 1, 0, null, [], 'TRUE'],
    ['development', 'yes', 1, null],
    ['algorithm', ['HS256'], null, 256, 'constructor'],
    ['secretKey', null, 42, Buffer.from(secretKey), [secretKey], ''],
    ['issuer', '', ' ', 5, ['https://id.example.com'], null],
    ['audience', '', ['a', 'b'], null],
    ['userAttributes', null, [], ['email'], { a: 1 }, { a: null }, { a: ['email'] }],
    ['trustedOrigins', null, [''], ['https://a.example.com/'], [null], { 0: 'https://a.example.com' }],
    ['loginRateLimit', null, {}, [{}], ['10/15m/ip'], [{ count: 0, seconds: 1, scope: 'ip' }], [null], false],
    ['loginRateLimit', [{ count: 1, seconds: 60, scope: ['ip'] }], [{ count: '1', seconds: 60, scope: 'ip' }]],
    ['refreshTokenCookieName', '', ['a'], null, 5],
    ['refreshTokenCookieSameSite', ['lax'], null, true],
    ['refreshTokenCookiePath', ['/'], null, ''],
    ['refreshTokenCookieDomain', '', ['example.com'], null, 5],
    ['refreshToken', {}, null, 5, '', new RefreshToken('1', 0, true)],
  ])('%s of another type or out of range is a fault of that property', (property, ...values) => {
    const others = values.filter((value) => refusedSettings(() => resolve({ [property]: value })).join() !== property);
    expect(others.map((value) => inspect(value))).toEqual([]);
  });

  test('an unknown property is refused with the nearest name, together with all other faults, by property name', () => {
    const faults = faultsOf(() =>
      resolve({ acessTokenLifetime: 60, issuer: '', refreshReuseGrace: '10', secretKey: 'short' }),
    );
    expect(Object.fromEntries(faults.map(({ setting, message }) => [setting, message]))).toEqual({
      acessTokenLifetime: expect.stringMatching(/is not a setting.* accessTokenLifetime$/),
      issuer: expect.any(String),
      refreshReuseGrace: expect.stringContaining('duration'),
      secretKey: expect.stringContaining('32 bytes'),
    });
    expect(JSON.stringify(faults)).not.toContain('short');
  });

  test.each(['socialLogin', 'passkeys'])(
    '%s, which is not implemented, is refused as unknown instead of ignored',
    (property) => {
      expect(faultOf(() => resolve({ [property]: 'true' }))).toEqual({
        setting: property,
        message: expect.stringContaining('is not a setting'),
      });
    },
  );

  test('printed settings do not show the secret', () => {
    const settings = resolve();
    const shown = [
      inspect(settings, { depth: 9 }),
      inspect({ nested: [settings] }, { depth: 9 }),
      JSON.stringify(settings),
      JSON.stringify({ nested: settings }),
      String(settings),
      `${inspect(new Error('x', { cause: settings }))}`,
    ];
    for (const text of shown) expect(text).not.toContain(secretKey);
    expect(JSON.parse(JSON.stringify(settings))).toMatchObject({ algorithm: 'HS256', secretKey: '[redacted]' });
    expect(settings.secretKey).toBe(secretKey);
  });
});

describe('the refresh cookie', () => {
  const production = { development: false };
  const development = { development: true };

  test.each<[what: string, input: Record<string, unknown>, setting: string]>([
    ['without Secure in production', { ...production, refreshTokenCookieSecure: false }, 'refreshTokenCookieSecure'],
    ['that scripts can read in production', { refreshTokenCookieHttpOnly: false }, 'refreshTokenCookieHttpOnly'],
    [
      'with SameSite=None but without Secure',
      { ...development, refreshTokenCookieSameSite: 'none' },
      'refreshTokenCookieSameSite',
    ],
    ['__Host- without Secure', { ...development, refreshTokenCookieName: '__Host-t' }, 'refreshTokenCookieName'],
    ['__host- in small letters', { ...development, refreshTokenCookieName: '__host-t' }, 'refreshTokenCookieName'],
    [
      '__Host- on another path',
      { refreshTokenCookieName: '__Host-t', refreshTokenCookiePath: '/auth' },
      'refreshTokenCookieName',
    ],
    [
      '__Host- with a domain',
      { refreshTokenCookieName: '__Host-t', refreshTokenCookieDomain: 'example.com' },
      'refreshTokenCookieName',
    ],
    ['__Secure- without Secure', { ...development, refreshTokenCookieName: '__Secure-t' }, 'refreshTokenCookieName'],
  ])('%s is refused', (_, input, setting) => {
    expect(faultOf(() => resolve(input)).setting).toBe(setting);
  });

  test.each<[what: string, input: Record<string, unknown>]>([
    ['without Secure in development', { ...development, refreshTokenCookieSecure: false }],
    ['that scripts can read in development', { ...development, refreshTokenCookieHttpOnly: false }],
    ['with SameSite=None and Secure', { refreshTokenCookieSameSite: 'none' }],
    [
      'with SameSite=None and Secure in development',
      { ...development, refreshTokenCookieSecure: true, refreshTokenCookieSameSite: 'none' },
    ],
    ['__Host- where its rules hold', { refreshTokenCookieName: '__Host-t' }],
    [
      '__Secure- with a domain and a path',
      {
        refreshTokenCookieName: '__Secure-t',
        refreshTokenCookiePath: '/auth',
        refreshTokenCookieDomain: '.example.com',
      },
    ],
  ])('%s is accepted', (_, input) => {
    expect(resolve(input)).toMatchObject(input);
  });

  test('NODE_ENV makes an insecure cookie acceptable only with the value development or test', () => {
    const insecure = {
      JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY,
      JWT_ALLAUTH_SECRET_KEY: secretKey,
      JWT_ALLAUTH_REFRESH_TOKEN_COOKIE_SECURE: 'false',
    };
    for (const NODE_ENV of [undefined, 'production', 'staging', 'DEVELOPMENT', 'dev']) {
      expect(faultOf(() => settingsFromEnv({ ...insecure, NODE_ENV })).setting).toBe(
        'JWT_ALLAUTH_REFRESH_TOKEN_COOKIE_SECURE',
      );
    }
    for (const NODE_ENV of ['development', 'test']) {
      expect(settingsFromEnv({ ...insecure, NODE_ENV }).refreshTokenCookieSecure).toBe(false);
    }
  });
});

describe('REFRESH_TOKEN_TRANSPORT', () => {
  const transportOf = (input: Record<string, unknown>) => {
    const { refreshTokenTransport, refreshTokenAsCookie } = resolve(input);
    return [refreshTokenTransport, refreshTokenAsCookie];
  };

  test('takes precedence; without it refreshTokenAsCookie decides', () => {
    expect(transportOf({})).toEqual([undefined, true]);
    expect(transportOf({ refreshTokenAsCookie: false })).toEqual([undefined, false]);
    expect(transportOf({ refreshTokenTransport: 'cookie' })).toEqual(['cookie', true]);
    expect(transportOf({ refreshTokenTransport: 'body' })).toEqual(['body', false]);
    expect(transportOf({ refreshTokenTransport: 'both' })).toEqual(['both', true]);
  });

  test('can be set together with a matching refreshTokenAsCookie, and resolved settings are accepted unchanged', () => {
    expect(transportOf({ refreshTokenTransport: 'body', refreshTokenAsCookie: 'false' })).toEqual(['body', false]);
    expect(transportOf({ refreshTokenTransport: 'cookie', refreshTokenAsCookie: true })).toEqual(['cookie', true]);
    for (const refreshTokenTransport of ['cookie', 'body', 'both']) {
      const once = resolve({ refreshTokenTransport });
      expect({ ...resolveSettings(once) }).toStrictEqual({ ...once });
    }
  });

  test.each([
    ['body', true],
    ['cookie', false],
    ['both', false],
  ])(
    '%s together with a refreshTokenAsCookie of %s is a fault that names both',
    (refreshTokenTransport, refreshTokenAsCookie) => {
      const variables = {
        JWT_ALLAUTH_SECRET_KEY: secretKey,
        JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY,
        JWT_ALLAUTH_REFRESH_TOKEN_TRANSPORT: refreshTokenTransport,
        JWT_ALLAUTH_REFRESH_TOKEN_AS_COOKIE: String(refreshTokenAsCookie),
      };
      const message = 'contradicts JWT_ALLAUTH_REFRESH_TOKEN_AS_COOKIE: set only one of them';
      expect(() => settingsFromEnv(variables)).toThrow(`JWT_ALLAUTH_REFRESH_TOKEN_TRANSPORT ${message}`);
      expect(() => resolve({ refreshTokenTransport, refreshTokenAsCookie })).toThrow(
        'contradicts refreshTokenAsCookie',
      );
    },
  );

  test.each(['', 'Both', 'cookie,body', true, null])('%s is refused', (refreshTokenTransport) => {
    expect(() => resolve({ refreshTokenTransport })).toThrow('refreshTokenTransport');
  });
});
