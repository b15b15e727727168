import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { SettingsError, settingsFromEnv } from '../../src/index.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { faultOf, faultsOf, refusedSettings } from '../support/setting-faults.js';

const SECRET_KEY = 'x'.repeat(64);

const read = (variables: Record<string, string | undefined> = {}, more: Record<string, string> = {}) => {
  const prefixed = Object.entries(variables).map(([name, value]) => [`JWT_ALLAUTH_${name}`, value]);
  return settingsFromEnv({
    JWT_ALLAUTH_SECRET_KEY: SECRET_KEY,
    JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY,
    ...Object.fromEntries(prefixed),
    ...more,
  });
};

describe('settingsFromEnv', () => {
  test('needs only a secret: everything else has the documented default', () => {
    expect(Object.fromEntries(Object.entries(read()))).toStrictEqual({
      development: false,
      refreshToken: undefined,
      refreshTokenTransport: undefined,
      refreshTokenAsCookie: true,
      refreshTokenCookieName: undefined,
      refreshTokenCookieHttpOnly: true,
      refreshTokenCookieSecure: undefined,
      refreshTokenCookieSameSite: 'lax',
      refreshTokenCookieMaxAge: undefined,
      refreshTokenCookiePath: '/',
      refreshTokenCookieDomain: undefined,
      refreshTokenCookiePartitioned: false,
      olderCookieDomains: [],
      olderCookiePaths: [],
      algorithm: 'HS256',
      secretKey: SECRET_KEY,
      privateKey: undefined,
      privateKeyFile: undefined,
      verifyingKeys: undefined,
      verifyingKeysFile: undefined,
      encryptionKeys: [ENCRYPTION_KEY],
      issuer: undefined,
      audience: undefined,
      accessTokenLifetime: 30 * 60,
      refreshTokenLifetime: 14 * 24 * 3600,
      sessionLifetime: undefined,
      refreshReuseGrace: 10,
      reauthenticationMaxAge: 600,
      userAttributes: {},
      logoutOnPasswordChange: true,
      oldPasswordFieldEnabled: true,
      passwordMinLength: 8,
      collectUserAgent: false,
      maxSessionsPerUser: undefined,
      accessTokenSessionCheck: 'none',
      revocationListFallback: 'database',
      listenUrl: undefined,
      dpop: 'optional',
      accessTokenBinding: false,
      auditLog: false,
      trustedOrigins: [],
      loginRateLimit: [
        { count: 10, seconds: 900, scope: 'account+ip' },
        { count: 100, seconds: 900, scope: 'ip' },
        { count: 100, seconds: 3600, scope: 'account' },
      ],
      emailVerification: 'none',
      emailConfirmationLifetime: 3 * 24 * 3600,
      passwordResetLifetime: 3600,
      invitationLifetime: 7 * 24 * 3600,
      emailVerifiedRedirect: undefined,
      passwordResetRedirect: undefined,
      passwordSetRedirect: undefined,
      passwordResetRequestUrl: undefined,
      sessionOnEmailVerification: false,
      preventEnumeration: true,
      invitations: false,
      adminManagedRegistration: false,
      registrationAllowedRoles: [1000, 900],
      publicUrl: undefined,
      smtpUrl: undefined,
      emailFrom: undefined,
      registrationRateLimit: [{ count: 20, seconds: 3600, scope: 'ip' }],
      mailRateLimit: [
        { count: 5, seconds: 3600, scope: 'account' },
        { count: 50, seconds: 3600, scope: 'ip' },
      ],
      templatesDir: undefined,
    });
  });

  test.each<[variable: string, value: string, property: string, parsed: unknown]>([
    ['REFRESH_TOKEN', './dist/auth/refresh-token.js#RefreshToken', 'refreshToken', expect.stringContaining('#Refresh')],
    ['REFRESH_TOKEN', '@app/auth/tokens#default', 'refreshToken', '@app/auth/tokens#default'],
    ['REFRESH_TOKEN_AS_COOKIE', 'false', 'refreshTokenAsCookie', false],
    ['REFRESH_TOKEN_AS_COOKIE', 'true', 'refreshTokenAsCookie', true],
    ['REFRESH_TOKEN_COOKIE_NAME', 'app-session', 'refreshTokenCookieName', 'app-session'],
    ['REFRESH_TOKEN_COOKIE_HTTP_ONLY', 'true', 'refreshTokenCookieHttpOnly', true],
    ['REFRESH_TOKEN_COOKIE_SECURE', 'true', 'refreshTokenCookieSecure', true],
    ['REFRESH_TOKEN_COOKIE_SAME_SITE', 'strict', 'refreshTokenCookieSameSite', 'strict'],
    ['REFRESH_TOKEN_COOKIE_SAME_SITE', 'Lax', 'refreshTokenCookieSameSite', 'lax'],
    ['REFRESH_TOKEN_COOKIE_SAME_SITE', 'None', 'refreshTokenCookieSameSite', 'none'],
    ['REFRESH_TOKEN_COOKIE_MAX_AGE', '1h', 'refreshTokenCookieMaxAge', 3600],
    ['REFRESH_TOKEN_COOKIE_PATH', '/auth', 'refreshTokenCookiePath', '/auth'],
    ['REFRESH_TOKEN_COOKIE_DOMAIN', 'example.com', 'refreshTokenCookieDomain', 'example.com'],
    [
      'OLDER_COOKIE_DOMAINS',
      'example.com, .www.example.com',
      'olderCookieDomains',
      ['example.com', '.www.example.com'],
    ],
    ['OLDER_COOKIE_PATHS', '/auth, /', 'olderCookiePaths', ['/auth', '/']],
    ['ALGORITHM', 'HS384', 'algorithm', 'HS384'],
    ['ALGORITHM', 'HS512', 'algorithm', 'HS512'],
    ['SECRET_KEY', 'ß'.repeat(16), 'secretKey', 'ß'.repeat(16)],
    ['ISSUER', 'https://id.example.com', 'issuer', 'https://id.example.com'],
    ['AUDIENCE', 'shop', 'audience', 'shop'],
    ['ACCESS_TOKEN_LIFETIME', '30s', 'accessTokenLifetime', 30],
    ['REFRESH_TOKEN_LIFETIME', '12h', 'refreshTokenLifetime', 43_200],
    ['SESSION_LIFETIME', '90d', 'sessionLifetime', 7_776_000],
    ['REFRESH_REUSE_GRACE', '0s', 'refreshReuseGrace', 0],
    ['REFRESH_REUSE_GRACE', '1m', 'refreshReuseGrace', 60],
    ['REFRESH_REUSE_GRACE', '2m', 'refreshReuseGrace', 120],
    ['USER_ATTRIBUTES', '{"org":"organization.id"}', 'userAttributes', { org: 'organization.id' }],
    ['LOGOUT_ON_PASSWORD_CHANGE', 'false', 'logoutOnPasswordChange', false],
    ['OLD_PASSWORD_FIELD_ENABLED', 'false', 'oldPasswordFieldEnabled', false],
    ['PASSWORD_MIN_LENGTH', '12', 'passwordMinLength', 12],
    ['COLLECT_USER_AGENT', 'true', 'collectUserAgent', true],
    ['MAX_SESSIONS_PER_USER', '5', 'maxSessionsPerUser', 5],
    ['ACCESS_TOKEN_SESSION_CHECK', 'revocation-list', 'accessTokenSessionCheck', 'revocation-list'],
    ['ACCESS_TOKEN_SESSION_CHECK', 'database', 'accessTokenSessionCheck', 'database'],
    ['REVOCATION_LIST_FALLBACK', 'fail-closed', 'revocationListFallback', 'fail-closed'],
    ['REVOCATION_LIST_FALLBACK', 'fail-open', 'revocationListFallback', 'fail-open'],
    ['LISTEN_URL', 'postgres://app@db.test:5432/app', 'listenUrl', 'postgres://app@db.test:5432/app'],
    ['AUDIT_LOG', 'true', 'auditLog', true],
    [
      'TRUSTED_ORIGINS',
      'https://app.example.com, http://localhost:3000',
      'trustedOrigins',
      ['https://app.example.com', 'http://localhost:3000'],
    ],
    [
      'LOGIN_RATE_LIMIT',
      '5/1m/ip, 7/1d/account',
      'loginRateLimit',
      [
        { count: 5, seconds: 60, scope: 'ip' },
        { count: 7, seconds: 86_400, scope: 'account' },
      ],
    ],
    ['LOGIN_RATE_LIMIT', 'off', 'loginRateLimit', []],
  ])('%s=%s is accepted and nothing else changes', (variable, value, property, parsed) => {
    expect({ ...read({ [variable]: value }) }).toEqual({ ...read(), [property]: parsed });
  });

  test.each([
    ['development', true],
    ['test', true],
    ['production', false],
    ['Development', false],
    ['staging', false],
    ['', false],
  ])('NODE_ENV=%s: development is %s', (NODE_ENV, development) => {
    expect(read({}, { NODE_ENV }).development).toBe(development);
  });

  test('variables of other programs and undefined ones are ignored', () => {
    const settings = read(
      { ISSUER: undefined, SESSION_LIFETIME: undefined },
      { PATH: '/bin', JWT_SECRET: 'other', A: '' },
    );
    expect({ ...settings }).toStrictEqual({ ...read() });
  });

  test.each<[variable: string, ...values: string[]]>([
    ['REFRESH_TOKEN', './refresh-token.js', '#Name', './a.js#', './a.js#not-a-name'],
    ['REFRESH_TOKEN_AS_COOKIE', 'yes', 'no', '1', '0', 'TRUE', 'False', 'on', ' true', 'true ', '"true"', 'null'],
    ['REFRESH_TOKEN_COOKIE_HTTP_ONLY', 'yes', '0', 'TRUE'],
    ['REFRESH_TOKEN_COOKIE_SECURE', 'yes', '0', 'TRUE'],
    ['LOGOUT_ON_PASSWORD_CHANGE', 'no', '1', 'FALSE'],
    ['OLD_PASSWORD_FIELD_ENABLED', 'no', '1', 'FALSE'],
    ['COLLECT_USER_AGENT', 'yes', '1', 'ip'],
    ['MAX_SESSIONS_PER_USER', '0', '-1', '1.5', 'none', '1e3', ' 5', '5 ', '9999999999'],
    ['ACCESS_TOKEN_SESSION_CHECK', 'true', 'list', 'None', 'revocation-list,database', 'constructor'],
    ['REVOCATION_LIST_FALLBACK', 'none', 'closed', 'true', 'Database'],
    ['AUDIT_LOG', 'yes', '1', 'TRUE'],
    ['REFRESH_TOKEN_COOKIE_NAME', 'a b', 'a;b', 'a=b', 'a,b', 'ä', 'a\n'],
    ['REFRESH_TOKEN_COOKIE_SAME_SITE', 'loose', 'true', 'lax,strict'],
    ['REFRESH_TOKEN_COOKIE_PATH', 'auth', 'https://example.com/', '/a;Secure', '/a b', '/a\r\nX: y', '/ä', '/\u0001'],
    ['REFRESH_TOKEN_COOKIE_DOMAIN', 'https://example.com', 'a b.com', 'a;b', 'example..com', 'exämple.com', '-a.com'],
    ['REFRESH_TOKEN_COOKIE_PARTITIONED', 'true', 'yes', '1'],
    ['OLDER_COOKIE_DOMAINS', 'https://example.com', 'a.test,', 'a.test;b.test', 'a..test', '*.a.test'],
    ['OLDER_COOKIE_PATHS', 'auth', '/,', '/a;Secure', '/,b', '/a b'],
    ['ALGORITHM', 'none', 'hs256', 'HS1', 'HS256,HS384', 'constructor', 'toString', '__proto__'],
    ['ALGORITHM', 'RS1', 'rs256', 'ES256K', 'EdDSA', 'PS256 ', 'RSA-OAEP'],
    ['VERIFYING_KEYS', 'a', 'secret:short'],
    ['VERIFYING_KEYS_FILE', './nowhere.pem'],
    ['PRIVATE_KEY', 'a'],
    ['PRIVATE_KEY_FILE', './nowhere.pem'],
    ['ACCESS_TOKEN_LIFETIME', '10', '1.5h', '-1s', '10 m', '0s', '0', '10M', '1w', '1h30m', '1e3s', '٣s', 'Infinity'],
    ['REFRESH_TOKEN_LIFETIME', '10', '0d', '1 d', 'never', '999999999d'],
    ['SESSION_LIFETIME', '10', '0s', 'none', 'null'],
    ['REFRESH_TOKEN_COOKIE_MAX_AGE', '3600', '0s', '-1'],
    ['REFRESH_REUSE_GRACE', '0', '10', '-1s', '1.5s', 'off', '121s', '3m', '1h'],
    ['USER_ATTRIBUTES', '{', '[]', '["organization.id"]', 'null', '"x"', '1', "{'a':'b'}", '{"a":1}', '{"a":true}'],
    ['USER_ATTRIBUTES', '{"a":null}', '{"a":{}}', '{"a":["email"]}', '{"a":""}', '{"a":"b."}', '{"a":"b c"}'],
    ['TRUSTED_ORIGINS', 'https://app.example.com/', 'https://app.example.com/path', 'app.example.com', '*', 'null'],
    ['TRUSTED_ORIGINS', 'https://a.example.com,', 'https://a.example.com:443', 'HTTPS://A.example.com', 'https://a b'],
    ['TRUSTED_ORIGINS', 'capacitor://localhost/', 'capacitor://', 'tauri://a b', 'data://x', 'javascript://x'],
    ['TRUSTED_ORIGINS', 'https://user@a.example.com', 'https://*.example.com', 'ftp://a.example.com', 'file://'],
    ['LOGIN_RATE_LIMIT', '10', '10/15m', '10/15m/user', '0/15m/ip', '-1/15m/ip', '10/15/ip', '10/0s/ip', '1.5/1m/ip'],
    ['LOGIN_RATE_LIMIT', '10/15m/ip+account', 'OFF', 'off,10/15m/ip', '10/15m/ip,', '10/15m/ip;5/1m/ip', 'false'],
    ['LOGIN_RATE_LIMIT', '10/15m/ip,10/15m/ip', '10/15m/ip,5/900s/ip'],
  ])('%s is refused if it is not valid: %s, %s …', (variable, ...values) => {
    const others = values.filter((value) => {
      const settings = refusedSettings(() => read({ [variable]: value }));
      return settings.join() !== `JWT_ALLAUTH_${variable}`;
    });
    expect(others).toEqual([]);
  });

  test.each([
    'REFRESH_TOKEN',
    'REFRESH_TOKEN_AS_COOKIE',
    'REFRESH_TOKEN_COOKIE_NAME',
    'REFRESH_TOKEN_COOKIE_DOMAIN',
    'ALGORITHM',
    'SECRET_KEY',
    'PRIVATE_KEY',
    'PRIVATE_KEY_FILE',
    'VERIFYING_KEYS',
    'VERIFYING_KEYS_FILE',
    'ISSUER',
    'AUDIENCE',
    'SESSION_LIFETIME',
    'USER_ATTRIBUTES',
    'TRUSTED_ORIGINS',
    'LOGIN_RATE_LIMIT',
  ])('an empty or blank %s is a fault, not the default', (variable) => {
    for (const value of ['', '   ']) {
      expect(faultOf(() => read({ [variable]: value }))).toEqual({
        setting: `JWT_ALLAUTH_${variable}`,
        message: expect.stringContaining('empty'),
      });
    }
  });

  test.each([
    ['HS256', 32],
    ['HS384', 48],
    ['HS512', 64],
  ])('%s needs a secret of %d bytes, counted in UTF-8', (ALGORITHM, bytes) => {
    expect(read({ ALGORITHM, SECRET_KEY: 'k'.repeat(bytes) }).algorithm).toBe(ALGORITHM);
    expect(read({ ALGORITHM, SECRET_KEY: 'é'.repeat(bytes / 2) }).algorithm).toBe(ALGORITHM);
    expect(faultOf(() => read({ ALGORITHM, SECRET_KEY: 'k'.repeat(bytes - 1) }))).toEqual({
      setting: 'JWT_ALLAUTH_SECRET_KEY',
      message: expect.stringContaining(`${bytes} bytes`),
    });
  });

  test('without a secret the start is refused', () => {
    expect(faultOf(() => settingsFromEnv({ JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY })).setting).toBe(
      'JWT_ALLAUTH_SECRET_KEY',
    );
  });

  test.each([
    ['JWT_ALLAUTH_REFRESH_TOKN_AS_COOKIE', 'JWT_ALLAUTH_REFRESH_TOKEN_AS_COOKIE'],
    ['JWT_ALLAUTH_SECRET', 'JWT_ALLAUTH_SECRET_KEY'],
    ['JWT_ALLAUTH_REFRESH_COOKIE_PATH', 'JWT_ALLAUTH_REFRESH_TOKEN_COOKIE_PATH'],
  ])('an unknown variable %s is refused with the nearest name', (variable, nearest) => {
    expect(faultOf(() => read({}, { [variable]: 'a value' }))).toEqual({
      setting: variable,
      message: expect.stringMatching(new RegExp(`is not a setting; the nearest name is ${nearest}(;|$)`)),
    });
  });

  test.each(['SOCIAL_LOGIN', 'DEVELOPMENT', ''])(
    'JWT_ALLAUTH_%s, which is not implemented, is refused as unknown instead of ignored',
    (name) => {
      const fault = faultOf(() => read({ [name]: 'true' }));
      expect(fault).toEqual({
        setting: `JWT_ALLAUTH_${name}`,
        message: expect.stringContaining('is not a setting'),
      });
    },
  );

  test.each([
    ['PASSKEY_ORIGINS', 'JWT_ALLAUTH_TRUSTED_ORIGINS'],
    ['MFA_RATE_LIMIT', 'JWT_ALLAUTH_MAIL_RATE_LIMIT'],
  ])('%s of a missing module gets this hint as well, although a name of the library is near', (name, near) => {
    const hint = 'if it belongs to a module, add the module to `modules`';
    expect(faultOf(() => read({ [name]: 'a value' }))).toEqual({
      setting: `JWT_ALLAUTH_${name}`,
      message: `is not a setting; the nearest name is ${near}; ${hint}`,
    });
  });

  test('a name that is like none of the settings gets the hint that its module may be missing', () => {
    expect(faultOf(() => read({}, { JWT_ALLAUTH_SOCIAL_LOGIN_URL: 'a value' }))).toEqual({
      setting: 'JWT_ALLAUTH_SOCIAL_LOGIN_URL',
      message: 'is not a setting; if it belongs to a module, add the module to `modules`',
    });
  });

  test('all faults are listed at once by variable name, and no value is repeated', () => {
    const value = 'ZZ distinctive-9f3a';
    const variables = [
      'REFRESH_TOKEN',
      'REFRESH_TOKEN_AS_COOKIE',
      'REFRESH_TOKEN_COOKIE_NAME',
      'REFRESH_TOKEN_COOKIE_HTTP_ONLY',
      'REFRESH_TOKEN_COOKIE_SECURE',
      'REFRESH_TOKEN_COOKIE_SAME_SITE',
      'REFRESH_TOKEN_COOKIE_MAX_AGE',
      'REFRESH_TOKEN_COOKIE_PATH',
      'REFRESH_TOKEN_COOKIE_DOMAIN',
      'ALGORITHM',
      'SECRET_KEY',
      'VERIFYING_KEYS_FILE',
      'ACCESS_TOKEN_LIFETIME',
      'REFRESH_TOKEN_LIFETIME',
      'SESSION_LIFETIME',
      'REFRESH_REUSE_GRACE',
      'USER_ATTRIBUTES',
      'LOGOUT_ON_PASSWORD_CHANGE',
      'OLD_PASSWORD_FIELD_ENABLED',
      'TRUSTED_ORIGINS',
      'LOGIN_RATE_LIMIT',
      'INVITATIONS',
    ];
    const make = () => read(Object.fromEntries(variables.map((name) => [name, value])));
    const names = variables.map((name) => `JWT_ALLAUTH_${name}`);
    expect(
      faultsOf(make)
        .map(({ setting }) => setting)
        .sort(),
    ).toEqual(names.sort());
    try {
      make();
      expect.unreachable();
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      expect(error.code).toBe('invalid_settings');
      for (const name of names) expect(error.message).toMatch(new RegExp(`\n  ${name} \\S`));
      const shown = [error.message, error.stack, inspect(error, { depth: 9, showHidden: true }), JSON.stringify(error)];
      for (const text of shown) expect(text).not.toContain('9f3a');
      expect(inspect(error)).toBe(error.stack); // as Node prints an uncaught error
    }
  });

  test('nothing is read from process.env', () => {
    process.env.JWT_ALLAUTH_ISSUER = 'from the process';
    try {
      expect(read().issuer).toBeUndefined();
    } finally {
      delete process.env.JWT_ALLAUTH_ISSUER;
    }
  });
});
