import { describe, expect, test } from 'vitest';
import { resolveSettings, type SettingsInput } from '../../src/settings/settings.js';
import { SettingsError } from '../../src/settings/settings-error.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { SECRET } from '../support/test-app.js';

const resolve = (input: SettingsInput) =>
  resolveSettings({ secretKey: SECRET, encryptionKeys: ENCRYPTION_KEY, ...input });
const PUBLIC = { publicUrl: 'https://api.example.com' };

/** The names of the settings that are refused. */
function refused(input: SettingsInput): string[] {
  try {
    resolve(input);
    return [];
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return error.faults.map(({ setting }) => setting);
  }
}

describe('the settings of accounts by mail', () => {
  test.each<[property: keyof SettingsInput, text: string, value: unknown]>([
    ['emailVerification', 'mandatory', 'mandatory'],
    ['emailVerification', 'optional', 'optional'],
    ['emailConfirmationLifetime', '2d', 172_800],
    ['passwordResetLifetime', '15m', 900],
    ['invitationLifetime', '14d', 1_209_600],
    ['emailVerifiedRedirect', 'https://app.example.com/welcome?x=1', 'https://app.example.com/welcome?x=1'],
    ['sessionOnEmailVerification', 'true', true],
    ['preventEnumeration', 'false', false],
    ['invitations', 'true', true],
    ['registrationAllowedRoles', '1000, 700', [1000, 700]],
    ['smtpUrl', 'smtps://user:pass@mail.example.com:465', 'smtps://user:pass@mail.example.com:465'],
    ['emailFrom', 'Example <no-reply@example.com>', 'Example <no-reply@example.com>'],
    ['registrationRateLimit', 'off', []],
    [
      'registrationRateLimit',
      '5/1h/ip,20/1d/ip',
      [5, 20].map((count, index) => ({ count, seconds: [3600, 86_400][index], scope: 'ip' })),
    ],
    ['mailRateLimit', 'off', []],
    ['mailRateLimit', '3/1h/account', [{ count: 3, seconds: 3600, scope: 'account' }]],
  ])('%s=%s is accepted', (property, text, value) => {
    const settings = resolve({ ...PUBLIC, emailFrom: 'no-reply@example.com', [property]: text });
    expect(settings[property as keyof typeof settings]).toEqual(value);
  });

  test.each<[string, SettingsInput]>([
    ['emailVerification', { emailVerification: 'sometimes' as never, ...PUBLIC }],
    ['emailVerification', { emailVerification: 'mandatory' }],
    ['invitations', { invitations: true }],
    ['adminManagedRegistration', { adminManagedRegistration: true }],
    ['sessionOnEmailVerification', { sessionOnEmailVerification: true, refreshTokenAsCookie: false }],
    ['registrationAllowedRoles', { registrationAllowedRoles: 'staff' }],
    ['publicUrl', { publicUrl: 'http://api.example.com' }],
    ['publicUrl', { publicUrl: 'api.example.com', development: true }],
    ['publicUrl', { publicUrl: 'https://user:pass@api.example.com' }],
    ['publicUrl', { publicUrl: 'https://api.example.com/?from=mail' }],
    ['publicUrl', { publicUrl: 'https://api.example.com/#/home' }],
    ['emailVerifiedRedirect', { emailVerifiedRedirect: 'javascript:alert(1)' }],
    ['smtpUrl', { smtpUrl: 'mail.example.com', emailFrom: 'a@example.com' }],
    ['emailFrom', { smtpUrl: 'smtp://mail.example.com' }],
    ['emailFrom', { emailFrom: 'a@example.com\nBcc: b@example.com' }],
    ['mailRateLimit', { mailRateLimit: 'many' }],
    ['registrationRateLimit', { registrationRateLimit: 'many' }],
    ['registrationRateLimit', { registrationRateLimit: '5/1h/account' }],
    ['registrationRateLimit', { registrationRateLimit: '5/1h/ip,6/60m/ip' }],
    ['passwordResetLifetime', { passwordResetLifetime: '0s' }],
  ])('%s is refused if it cannot work (%o)', (property, input) => {
    expect(refused(input)).toEqual([property]);
  });

  test('a public URL with plain http is only for development', () => {
    expect(refused({ publicUrl: 'http://127.0.0.1:3000', development: true })).toEqual([]);
  });

  test('printed settings do not show the passwords in URLs', () => {
    const settings = resolve({
      smtpUrl: 'smtp://user:hunter2@mail.example.com',
      emailFrom: 'a@example.com',
      listenUrl: 'postgresql://app:hunter2@db.example.com/app',
    });
    expect(JSON.stringify(settings)).not.toContain('hunter2');
  });
});
