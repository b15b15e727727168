import { describe, expect, test } from 'vitest';
import { passkeysModule } from '../../../src/features/passkeys/index.js';
import { PasskeysSettings } from '../../../src/features/passkeys/passkeys.settings.js';
import { relyingPartyOf } from '../../../src/features/passkeys/relying-party.js';
import { type SettingsInput, settingsFromEnv } from '../../../src/index.js';
import { resolveSettings } from '../../../src/settings/settings.js';
import { ENCRYPTION_KEY } from '../../support/encryption-key.js';
import { PUBLIC_URL } from '../../support/mail-app.js';
import { createPasskeysApp, creationOptions, requestOptions, sessionFor } from '../../support/passkeys-app.js';
import { createPerson } from '../../support/person.js';
import { SECRET } from '../../support/test-app.js';

/** The relying party of some settings. */
function relyingParty(own: Partial<PasskeysSettings>, more: SettingsInput = {}) {
  const settings = resolveSettings({ secretKey: SECRET, encryptionKeys: ENCRYPTION_KEY, development: true, ...more });
  return relyingPartyOf(settings, Object.assign(new PasskeysSettings(), own));
}

const IP_FAULT =
  'publicUrl has a host for which browsers make no passkeys, such as an IP address: on your own machine write ' +
  'localhost, else set passkeyRpId';

const faultOf = (...args: Parameters<typeof relyingParty>) => {
  try {
    return JSON.stringify(relyingParty(...args));
  } catch (error) {
    return (error as Error).message.split('\n')[1]?.trim();
  }
};

describe('the domain and the origins of passkeys', () => {
  test.each<[string, Partial<PasskeysSettings>, SettingsInput, object]>([
    [
      'PUBLIC_URL',
      {},
      { publicUrl: 'https://app.example.com/api' },
      { id: 'app.example.com', name: 'app.example.com', origins: ['https://app.example.com'] },
    ],
    [
      'PUBLIC_URL and TRUSTED_ORIGINS, as far as they are at the domain',
      {},
      {
        publicUrl: 'https://example.com',
        trustedOrigins: [
          'https://www.example.com',
          'https://example.org',
          'https://notexample.com',
          'capacitor://localhost',
        ],
      },
      { id: 'example.com', name: 'example.com', origins: ['https://example.com', 'https://www.example.com'] },
    ],
    [
      'the settings',
      {
        passkeyRpId: 'example.com',
        passkeyRpName: 'Example',
        passkeyOrigins: ['https://a.b.example.com', `android:apk-key-hash:${'A'.repeat(43)}`],
      },
      { publicUrl: 'https://api.example.com' },
      {
        id: 'example.com',
        name: 'Example',
        origins: ['https://a.b.example.com', `android:apk-key-hash:${'A'.repeat(43)}`],
      },
    ],
    [
      'the settings alone',
      { passkeyRpId: 'localhost', passkeyOrigins: ['http://localhost:3000'] },
      {},
      { id: 'localhost', name: 'jwt-allauth', origins: ['http://localhost:3000'] },
    ],
  ])('come from %s', (_where, own, more, party) => {
    expect(relyingParty(own, more)).toEqual(party);
  });

  test.each<[string, Partial<PasskeysSettings>, SettingsInput, string]>([
    ['no domain', {}, {}, 'publicUrl is required for passkeys, or passkeyRpId: they are made for a domain'],
    ['an IP address', {}, { publicUrl: 'http://127.0.0.1:3000' }, IP_FAULT],
    ['an IPv6 address', {}, { publicUrl: 'http://[::1]:3000' }, IP_FAULT],
    [
      'a foreign origin',
      { passkeyOrigins: ['https://www.example.com', 'https://example.com.evil.example'] },
      { publicUrl: 'https://example.com' },
      'passkeyOrigins has https://example.com.evil.example, which is not at the domain example.com',
    ],
    [
      'no origin at the domain',
      { passkeyRpId: 'example.org' },
      { publicUrl: 'https://example.com' },
      'passkeyOrigins is required: neither publicUrl nor trustedOrigins has an origin at example.org',
    ],
    [
      'a subdomain of a name without a dot, which browsers refuse',
      { passkeyRpId: 'localhost', passkeyOrigins: ['http://app.localhost:3000'] },
      {},
      'passkeyOrigins has http://app.localhost:3000, which is not at the domain localhost',
    ],
    [
      'a top-level domain',
      { passkeyRpId: 'com' },
      { publicUrl: 'https://example.com' },
      'passkeyOrigins is required: neither publicUrl nor trustedOrigins has an origin at com',
    ],
  ])('are refused with %s', (_what, own, more, fault) => {
    expect(faultOf(own, more)).toBe(fault);
  });

  test('are checked at start-up, with the names of the variables', async () => {
    await expect(createPasskeysApp({ passkeyOrigins: ['https://evil.example'] })).rejects.toThrow(
      'passkeyOrigins has https://evil.example, which is not at the domain accounts.test',
    );
    const env = {
      NODE_ENV: 'development',
      JWT_ALLAUTH_SECRET_KEY: SECRET,
      JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY,
      JWT_ALLAUTH_PASSKEY_ORIGINS: 'https://evil.example',
      JWT_ALLAUTH_PUBLIC_URL: 'https://app.example.com',
    };
    const settings = settingsFromEnv(env, [passkeysModule]);
    const own = Object.assign(new PasskeysSettings(), { passkeyOrigins: ['https://evil.example'] });
    expect(() => relyingPartyOf(settings, own)).toThrow('JWT_ALLAUTH_PASSKEY_ORIGINS has https://evil.example');
  });

  test.each(['127.0.0.1', 'Example.com', 'https://example.com', 'example.com:3000', '-a.example', 'a..b', '', '[::1]'])(
    'cannot be %j',
    (passkeyRpId) => {
      const input = { secretKey: SECRET, encryptionKeys: ENCRYPTION_KEY, passkeyRpId } as SettingsInput;
      expect(() => resolveSettings(input, undefined, [passkeysModule])).toThrow(
        'passkeyRpId must be a domain such as example.com, in lower case, and no IP address',
      );
    },
  );

  test.each<[string, SettingsInput, readonly unknown[]]>([
    [
      'a page without TLS',
      {
        passkeyRpId: 'app.example',
        passkeyOrigins: `http://app.example,https://app.example,android:apk-key-hash:${'A'.repeat(43)}`,
      },
      [{ message: expect.stringMatching(/^browsers have no passkeys .* TLS/), origins: ['http://app.example'] }],
    ],
    ['no page without TLS but at localhost', { passkeyRpId: 'localhost', passkeyOrigins: 'http://localhost:3000' }, []],
    [
      'a trusted page that is not at the default domain',
      { publicUrl: 'https://api.example', trustedOrigins: 'https://app.example,capacitor://localhost' },
      [
        {
          message: expect.stringMatching(/^pages of trusted origins have no passkeys.*; choose passkeyRpId before/),
          origins: ['https://app.example'],
          domain: 'api.example',
        },
      ],
    ],
    [
      'such a page next to a chosen domain',
      { publicUrl: 'https://api.example', passkeyRpId: 'api.example', trustedOrigins: 'https://app.example' },
      [],
    ],
  ])('cause a warning only if browsers have no passkeys there: %s', async (_what, settings, warnings) => {
    const app = await createPasskeysApp(settings);
    await app.close();
    const found = app.log.filter(({ message }) => /passkeys/.test(message));
    expect(found).toEqual(warnings.map((warning) => ({ level: 'warn', ...(warning as object) })));
  });

  test('do not come from the Host header', async () => {
    const app = await createPasskeysApp({ publicUrl: PUBLIC_URL });
    const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' };
    expect((await requestOptions(app.client(), {}, headers)).rpId).toBe('accounts.test');
    const client = await sessionFor(app, (await createPerson(app)).id);
    expect((await creationOptions(client)).rp.id).toBe('accounts.test');
    await app.close();
  });
});
