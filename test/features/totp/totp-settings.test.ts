import { describe, expect, test } from 'vitest';
import { totpModule } from '../../../src/features/totp/index.js';
import { createAuthEntities, settingsFromEnv } from '../../../src/index.js';
import { ENCRYPTION_KEY } from '../../support/encryption-key.js';
import { createTestApp, SECRET } from '../../support/test-app.js';
import { createTotpApp } from '../../support/totp-app.js';
import { AppUser } from '../../support/users.js';

const REQUIRED = { NODE_ENV: 'test', JWT_ALLAUTH_SECRET_KEY: SECRET, JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY };
const read = (more: Record<string, string> = {}) => settingsFromEnv({ ...REQUIRED, ...more }, [totpModule]);

describe('the settings', () => {
  test('have defaults', () => {
    const mfaRateLimit = [{ count: 10, seconds: 900, scope: 'account' }];
    expect(read()).toMatchObject({ mfaMode: 'optional', mfaRateLimit, totpIssuer: undefined });
  });

  test('come from the environment', () => {
    const env = { MFA_MODE: 'required', MFA_RATE_LIMIT: '5/1h/account,20/1d/account', TOTP_ISSUER: 'Example' };
    const named = Object.fromEntries(Object.entries(env).map(([name, value]) => [`JWT_ALLAUTH_${name}`, value]));
    expect(read(named)).toMatchObject({
      mfaMode: 'required',
      mfaRateLimit: [
        { count: 5, seconds: 3600, scope: 'account' },
        { count: 20, seconds: 86_400, scope: 'account' },
      ],
      totpIssuer: 'Example',
    });
  });

  test.each([
    ['MFA_MODE', 'always', /JWT_ALLAUTH_MFA_MODE must be optional or required/],
    ['MFA_RATE_LIMIT', 'off', /JWT_ALLAUTH_MFA_RATE_LIMIT must be limits such as 10\/15m\/account/],
    ['MFA_RATE_LIMIT', '10/15m/ip', /must be limits such as 10\/15m\/account/],
    ['MFA_RATE_LIMIT', '10/15m/account+ip', /must be limits such as 10\/15m\/account/],
    ['TOTP_ISSUER', ' ', /JWT_ALLAUTH_TOTP_ISSUER is empty/],
    ['TOTP_ISSUER', 'Example: Shop', /JWT_ALLAUTH_TOTP_ISSUER must have no colon/],
  ])('%s=%s is refused', (name, value, message) => {
    expect(() => read({ [`JWT_ALLAUTH_${name}`]: value })).toThrow(message);
  });

  test.each([
    [{ totpIssuer: 'Ada & Söhne' }, 'Ada & Söhne'],
    [{ publicUrl: 'http://shop.example.com:8080/app' }, 'shop.example.com'],
    [{}, 'jwt-allauth'],
  ])('name the app in the authenticator app: %o', async (settings, issuer) => {
    const app = await createTotpApp(settings);
    const client = await app.signedUp();
    const { body } = await client.send('POST', '/auth/mfa/totp/setup', {}, client.bearer);
    expect(new URL(body.uri).searchParams.get('issuer')).toBe(issuer);
    expect(new URL(body.uri).pathname).toContain(`/${encodeURIComponent(issuer)}:`);
    await app.close();
  });
});

test('without the module its routes and its table do not exist', async () => {
  const app = await createTestApp();
  const client = await app.signedUp();
  for (const [method, path] of [
    ['GET', '/auth/mfa'],
    ['POST', '/auth/mfa/verify'],
    ['POST', '/auth/mfa/totp/setup'],
    ['DELETE', '/auth/mfa/totp'],
  ] as const)
    expect((await client.send(method, path, undefined, client.bearer)).status).toBe(404);
  expect((await app.database.pool.query(`select to_regclass('auth_totp') as name`)).rows).toEqual([{ name: null }]);
  expect(createAuthEntities({ user: () => AppUser }).map(({ meta }) => meta.className)).not.toContain('AuthTotp');
  await app.close();
});
