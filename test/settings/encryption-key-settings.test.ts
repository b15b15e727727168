import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { Container } from 'typedi';
import { describe, expect, test } from 'vitest';
import { createJwtAllauth, type SettingsInput, settingsFromEnv } from '../../src/index.js';
import { readEncryptionKey } from '../../src/settings/encryption-key.js';
import { resolveSettings } from '../../src/settings/settings.js';
import { faultOf, faultsOf } from '../support/setting-faults.js';
import { createTestApp, SECRET } from '../support/test-app.js';

const [first, second] = [randomBytes(32), randomBytes(32)];
const text = (key: Buffer) => key.toString('base64url');
const read = (ENCRYPTION_KEYS: string | undefined, NODE_ENV?: string) =>
  settingsFromEnv({
    JWT_ALLAUTH_SECRET_KEY: SECRET,
    NODE_ENV,
    ...(ENCRYPTION_KEYS !== undefined && { JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEYS }),
  });

describe('ENCRYPTION_KEYS', () => {
  test('are 32 bytes in base64url, base64 or hexadecimal digits', () => {
    for (const encoding of ['base64url', 'base64', 'hex'] as const) {
      for (const key of [first, Buffer.alloc(32, 0xff), Buffer.alloc(32)]) {
        expect(readEncryptionKey(key.toString(encoding))).toEqual(key);
        expect(read(key.toString(encoding)).encryptionKeys).toEqual([key.toString(encoding)]);
      }
    }
  });

  test('are a list separated by commas, or an array in the object form', () => {
    expect(read(` ${text(first)} , ${text(second)}`).encryptionKeys).toEqual([text(first), text(second)]);
    const input: SettingsInput = { secretKey: SECRET, encryptionKeys: [text(first), text(second)] };
    expect(resolveSettings(input).encryptionKeys).toEqual([text(first), text(second)]);
    expect(resolveSettings(resolveSettings(input)).encryptionKeys).toEqual([text(first), text(second)]);
  });

  test.each<[what: string, value: string, message: string]>([
    ['31 bytes', text(first.subarray(1)), 'the key has 31 bytes'],
    ['33 bytes', text(Buffer.concat([first, Buffer.alloc(1)])), 'the key has 33 bytes'],
    ['a secret for signatures', 'a-secret-of-thirty-two-characters', 'the key has 24 bytes'],
    ['a sentence', 'a secret of thirty-two characters', 'the key has a character that base64url does not allow'],
    ['62 hexadecimal digits', first.toString('hex').slice(2), 'the key has 46 bytes'],
    ['what a shell has not replaced', '$(cat encryption-key)', 'the key is a shell expression that was not expanded'],
    ['nothing behind a comma', `${text(first)},`, 'key 2 is empty'],
    ['a bad second', `${text(first)},${text(second).slice(3)}`, 'key 2 has 30 bytes'],
    ['one key twice', `${text(first)},${text(second)},${first.toString('hex')}`, 'key 3 is the same as key 1'],
  ])('are refused without being shown: %s', (_, value, message) => {
    for (const environment of ['development', 'production']) {
      const fault = faultOf(() => read(value, environment));
      expect(fault).toEqual({
        setting: 'JWT_ALLAUTH_ENCRYPTION_KEYS',
        message: `must be keys of 32 bytes in base64url, separated by commas: ${message}`,
      });
    }
  });

  test.each([[null], [5], [{}], [[5]], [true]])('of another type are refused: %j', (encryptionKeys) => {
    const make = () => resolveSettings({ secretKey: SECRET, encryptionKeys } as never);
    expect(faultOf(make)).toEqual({ setting: 'encryptionKeys', message: expect.stringMatching(/must be keys of 32/) });
  });

  test('are required in production, and a missing one is reported with all other faults', () => {
    const message = 'must be set in production: `npx jwt-allauth generate-keys` makes a key';
    for (const environment of [undefined, 'production', 'staging'])
      expect(faultOf(() => read(undefined, environment))).toEqual({ setting: 'JWT_ALLAUTH_ENCRYPTION_KEYS', message });
    const faults = faultsOf(() => resolveSettings({ secretKey: 'short', encryptionKeys: [] }));
    expect(faults.map(({ setting }) => setting).sort()).toEqual(['encryptionKeys', 'secretKey']);
    for (const environment of ['development', 'test']) expect(read(undefined, environment).encryptionKeys).toEqual([]);
  });

  test('are not shown when the settings are printed', () => {
    const settings = read(`${text(first)},${text(second)}`);
    for (const shown of [inspect(settings, { depth: 9, showHidden: true }), JSON.stringify(settings)]) {
      expect(shown).toContain('[redacted]');
      for (const key of [first, second]) expect(shown).not.toContain(text(key));
    }
  });
});

test('without encryption keys development derives one from the signing key, and warns', async () => {
  const app = await createTestApp({ settings: { encryptionKeys: [], loginRateLimit: '1/15m/account' } });
  const warning = 'encryptionKeys is not set: stored secrets are lost with the signing key, and production requires it';
  expect(app.log).toEqual([{ level: 'warn', message: warning }]);
  const wrong = () => app.client().login('nobody@example.com', 'a wrong sentence');
  expect([(await wrong()).status, (await wrong()).status]).toEqual([401, 429]);

  const log: string[] = [];
  const note = (_: object, message: string) => void log.push(message);
  const settings = { secretKey: SECRET, development: true, encryptionKeys: text(first) };
  const logger = { info: note, warn: note, error: note };
  const auth = await createJwtAllauth({ orm: app.orm, settings, logger, container: Container.of('encryption keys') });
  expect(log).toEqual([]);
  await auth.close();
  await app.close();
});
