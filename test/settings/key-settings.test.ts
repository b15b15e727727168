import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Settings, SettingsError, settingsFromEnv } from '../../src/index.js';
import { resolveSettings } from '../../src/settings/settings.js';
import { KeyRing } from '../../src/tokens/key-ring.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { faultOf, faultsOf, refusedSettings } from '../support/setting-faults.js';

const SECRET = 'a secret of the key settings of forty-eight byte';
const OLDER = 'an older secret of the key settings, more than 48 bytes long';

const privatePem = (key: KeyObject, type: 'pkcs8' | 'pkcs1' | 'sec1' = 'pkcs8') =>
  key.export({ type, format: 'pem' }) as string;
const publicPem = (key: KeyObject, type: 'spki' | 'pkcs1' = 'spki') =>
  createPublicKey(privatePem(key)).export({ type, format: 'pem' }) as string;

/** The private member. KeyObject.equals would leave an error that Node then attributes to the next key that is read. */
const secretOf = (key: KeyObject) => key.export({ format: 'jwk' }).d;

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const rsa1024 = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
const rsa2047 = generateKeyPairSync('rsa', { modulusLength: 2047 }).privateKey;
const rsaPss = generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey;
const [p256, p384, p521, koblitz] = ['prime256v1', 'secp384r1', 'secp521r1', 'secp256k1'].map(
  (namedCurve) => generateKeyPairSync('ec', { namedCurve }).privateKey,
) as [KeyObject, KeyObject, KeyObject, KeyObject];
const ed25519 = generateKeyPairSync('ed25519').privateKey;

const encrypted = p256.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'sesame' }) as string;
const encryptedOld = p256.export({
  type: 'sec1',
  format: 'pem',
  cipher: 'aes-256-cbc',
  passphrase: 'sesame',
}) as string;
const certificate = publicPem(p256).replaceAll('PUBLIC KEY', 'CERTIFICATE');
const EC_PARAMETERS = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';

/** A private key with the public half of another. */
const damaged = () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey.export({
    format: 'der',
    type: 'spki',
  });
  const der = p256.export({ type: 'pkcs8', format: 'der' });
  other.subarray(-64).copy(der, der.length - 64);
  return `-----BEGIN PRIVATE KEY-----\n${der.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`;
};
const escaped = (pem: string) => pem.replaceAll('\n', '\\n');

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-keys-'));
});
afterAll(() => rm(directory, { recursive: true }));

const file = async (name: string, text: string) => {
  await writeFile(join(directory, name), text);
  return join(directory, name);
};
const read = (variables: Record<string, string>): Settings =>
  settingsFromEnv(
    Object.fromEntries(
      Object.entries({ ENCRYPTION_KEYS: ENCRYPTION_KEY, ...variables }).map(([name, value]) => [
        `JWT_ALLAUTH_${name}`,
        value,
      ]),
    ),
  );
const ringOf = (variables: Record<string, string>) => new KeyRing(read(variables));

describe('the signing key', () => {
  test.each<[what: string, ALGORITHM: string, PRIVATE_KEY: string]>([
    ['RSA for RS256', 'RS256', privatePem(rsa)],
    ['RSA for PS512', 'PS512', privatePem(rsa)],
    ['RSA in PKCS#1', 'RS256', privatePem(rsa, 'pkcs1')],
    ['P-256', 'ES256', privatePem(p256)],
    ['P-256 in SEC1', 'ES256', privatePem(p256, 'sec1')],
    ['P-256 as OpenSSL writes it, with its parameters', 'ES256', EC_PARAMETERS + privatePem(p256, 'sec1')],
    ['P-384', 'ES384', privatePem(p384)],
    ['P-521', 'ES512', privatePem(p521)],
    ['line ends written as \\n', 'ES256', escaped(privatePem(p256))],
    ['line ends written as \\r\\n', 'ES256', privatePem(p256).replaceAll('\n', '\\r\\n')],
    ['line ends of Windows', 'ES256', privatePem(p256).replaceAll('\n', '\r\n')],
    ['white space around', 'ES256', `\n  ${privatePem(p256)}\n`],
  ])('is accepted: %s', (_, ALGORITHM, PRIVATE_KEY) => {
    const { signing } = ringOf({ ALGORITHM, PRIVATE_KEY });
    expect(signing.algorithm).toBe(ALGORITHM);
    expect([rsa, p256, p384, p521].map(secretOf)).toContain(secretOf(signing.key));
  });

  test('can come from a file, which is read once', async () => {
    const PRIVATE_KEY_FILE = await file('key.pem', privatePem(p256));
    const VERIFYING_KEYS_FILE = await file('older.pem', publicPem(rsa));
    const settings = read({ ALGORITHM: 'ES256', PRIVATE_KEY_FILE, VERIFYING_KEYS_FILE });
    await rm(PRIVATE_KEY_FILE);
    await rm(VERIFYING_KEYS_FILE);
    const ring = new KeyRing(resolveSettings(settings));
    expect(secretOf(ring.signing.key)).toBe(secretOf(p256));
    expect(ring.publicKeys().map(({ alg }) => alg)).toEqual(['ES256', 'RS256']);
    expect({ ...resolveSettings(settings) }).toEqual({
      ...read({ ALGORITHM: 'ES256', PRIVATE_KEY: privatePem(p256), VERIFYING_KEYS: publicPem(rsa) }),
    });
  });

  test.each<[what: string, variables: Record<string, string>, setting: string, message: RegExp]>([
    ['no private key for ES256', { ALGORITHM: 'ES256' }, 'PRIVATE_KEY', /must be set for ES256/],
    ['no private key for RS256', { ALGORITHM: 'RS256' }, 'PRIVATE_KEY', /must be set for RS256/],
    ['no secret for HS512', { ALGORITHM: 'HS512' }, 'SECRET_KEY', /must be set, to at least 64 bytes/],
    ['no PEM', { ALGORITHM: 'ES256', PRIVATE_KEY: 'distinctive' }, 'PRIVATE_KEY', /one private key in PEM/],
    [
      'RSA of 1024 bits',
      { ALGORITHM: 'RS256', PRIVATE_KEY: privatePem(rsa1024) },
      'PRIVATE_KEY',
      /2048 bits for RS256/,
    ],
    [
      'RSA of 2047 bits',
      { ALGORITHM: 'PS256', PRIVATE_KEY: privatePem(rsa2047) },
      'PRIVATE_KEY',
      /2048 bits for PS256/,
    ],
    ['RSA-PSS', { ALGORITHM: 'PS256', PRIVATE_KEY: privatePem(rsaPss) }, 'PRIVATE_KEY', /RSA key/],
    ['P-384 for ES256', { ALGORITHM: 'ES256', PRIVATE_KEY: privatePem(p384) }, 'PRIVATE_KEY', /prime256v1 for ES256/],
    ['P-256 for ES384', { ALGORITHM: 'ES384', PRIVATE_KEY: privatePem(p256) }, 'PRIVATE_KEY', /secp384r1 for ES384/],
    ['P-256 for ES512', { ALGORITHM: 'ES512', PRIVATE_KEY: privatePem(p256) }, 'PRIVATE_KEY', /secp521r1 for ES512/],
    ['secp256k1', { ALGORITHM: 'ES256', PRIVATE_KEY: privatePem(koblitz) }, 'PRIVATE_KEY', /prime256v1/],
    ['Ed25519', { ALGORITHM: 'ES256', PRIVATE_KEY: privatePem(ed25519) }, 'PRIVATE_KEY', /prime256v1/],
    ['RSA for ES256', { ALGORITHM: 'ES256', PRIVATE_KEY: privatePem(rsa) }, 'PRIVATE_KEY', /prime256v1/],
    ['P-256 for RS256', { ALGORITHM: 'RS256', PRIVATE_KEY: privatePem(p256) }, 'PRIVATE_KEY', /RSA key/],
    ['encrypted', { ALGORITHM: 'ES256', PRIVATE_KEY: encrypted }, 'PRIVATE_KEY', /encrypted/],
    ['encrypted in SEC1', { ALGORITHM: 'ES256', PRIVATE_KEY: encryptedOld }, 'PRIVATE_KEY', /encrypted/],
    ['encrypted and escaped', { ALGORITHM: 'ES256', PRIVATE_KEY: escaped(encryptedOld) }, 'PRIVATE_KEY', /encrypted/],
    ['a public key', { ALGORITHM: 'ES256', PRIVATE_KEY: publicPem(p256) }, 'PRIVATE_KEY', /not a private key/],
    ['a certificate', { ALGORITHM: 'ES256', PRIVATE_KEY: certificate }, 'PRIVATE_KEY', /not a private key/],
    [
      'two private keys',
      { ALGORITHM: 'ES256', PRIVATE_KEY: privatePem(p256) + privatePem(p256) },
      'PRIVATE_KEY',
      /nothing else/,
    ],
    ['text before it', { ALGORITHM: 'ES256', PRIVATE_KEY: `key:\n${privatePem(p256)}` }, 'PRIVATE_KEY', /nothing else/],
    [
      'its first half only',
      { ALGORITHM: 'ES256', PRIVATE_KEY: privatePem(p256).slice(0, 120) },
      'PRIVATE_KEY',
      /one private key in PEM/,
    ],
    [
      'a line missing',
      { ALGORITHM: 'RS256', PRIVATE_KEY: privatePem(rsa).replace(/\n.+\n/, '\n') },
      'PRIVATE_KEY',
      /cannot be read/,
    ],
    [
      'spaces for line ends',
      { ALGORITHM: 'RS256', PRIVATE_KEY: privatePem(rsa).replaceAll('\n', ' ') },
      'PRIVATE_KEY',
      /cannot be read/,
    ],
    ['a public half of another key', { ALGORITHM: 'ES256', PRIVATE_KEY: damaged() }, 'PRIVATE_KEY', /is damaged/],
    [
      'a private key and a secret, which would be ignored',
      { ALGORITHM: 'ES256', PRIVATE_KEY: privatePem(p256), SECRET_KEY: SECRET },
      'SECRET_KEY',
      /not used with ES256/,
    ],
    [
      'a secret and a private key, which would be ignored',
      { SECRET_KEY: SECRET, PRIVATE_KEY: privatePem(p256) },
      'PRIVATE_KEY',
      /not used with HS256/,
    ],
    ['a secret with a space in front', { SECRET_KEY: ` ${SECRET}` }, 'SECRET_KEY', /white space/],
    ['a secret with a line end', { SECRET_KEY: `${SECRET}\n` }, 'SECRET_KEY', /white space/],
    ['a shell expression', { SECRET_KEY: '$(cat /srv/the/app/keys/secret-key)' }, 'SECRET_KEY', /shell expression/],
    ['a secret of two lines', { SECRET_KEY: `${SECRET}\n${SECRET}` }, 'SECRET_KEY', /line end/],
    ['a secret with \\n', { SECRET_KEY: `${SECRET}\\n` }, 'SECRET_KEY', /line end/],
  ])('is refused: %s', (_, variables, setting, message) => {
    expect(faultOf(() => read(variables))).toEqual({
      setting: `JWT_ALLAUTH_${setting}`,
      message: expect.stringMatching(message),
    });
  });

  test('is refused as a file that is missing, a folder, empty, set together with the text, or unusable for the algorithm', async () => {
    const good = await file('good.pem', privatePem(p256));
    const cases: [Record<string, string>, RegExp][] = [
      [{ ALGORITHM: 'ES256', PRIVATE_KEY_FILE: join(directory, 'distinctive.pem') }, /cannot be read: ENOENT$/],
      [{ ALGORITHM: 'ES256', PRIVATE_KEY_FILE: directory }, /cannot be read: EISDIR$/],
      [{ ALGORITHM: 'ES256', PRIVATE_KEY_FILE: 'distinctive\0' }, /cannot be read: ERR_INVALID_ARG_VALUE$/],
      [{ ALGORITHM: 'ES256', PRIVATE_KEY_FILE: await file('empty.pem', '') }, /is the path of an empty file/],
      [{ ALGORITHM: 'ES256', PRIVATE_KEY_FILE: await file('rsa.pem', privatePem(rsa)) }, /prime256v1/],
      [{ ALGORITHM: 'ES256', PRIVATE_KEY_FILE: good, PRIVATE_KEY: privatePem(p256) }, /set one of them/],
      [{ SECRET_KEY: SECRET, PRIVATE_KEY_FILE: good }, /not used with HS256/],
    ];
    for (const [variables, message] of cases) {
      const fault = faultOf(() => read(variables));
      expect(fault).toEqual({
        setting: 'JWT_ALLAUTH_PRIVATE_KEY_FILE',
        message: expect.stringMatching(message),
      });
      expect(JSON.stringify(fault)).not.toContain('distinctive');
    }
  });

  test.each(['privateKey', 'privateKeyFile', 'verifyingKeys', 'verifyingKeysFile'])(
    '%s of another type is one fault of that property',
    (property) => {
      const base = {
        encryptionKeys: ENCRYPTION_KEY,
        ...(property.startsWith('private') ? { algorithm: 'ES256' } : { secretKey: SECRET }),
      };
      for (const value of [null, 5, '', ' ', [privatePem(p256)], {}, Buffer.from('x')]) {
        const refused = refusedSettings(() => resolveSettings({ ...base, [property]: value } as never));
        const missing = property === 'privateKeyFile' ? refused.filter((name) => name !== 'privateKey') : refused;
        expect(missing, inspect(value)).toEqual([property]);
      }
    },
  );
});

describe('the additional verifying keys', () => {
  const es = { ALGORITHM: 'ES256', PRIVATE_KEY: privatePem(p256) };
  const bound = (variables: Record<string, string>) => {
    const ring = ringOf(variables);
    return ring.publicKeys().map(({ alg }) => alg);
  };

  test('are public keys and secrets in any order, with or without blank lines', () => {
    const forms = [
      `${publicPem(p384)}${publicPem(p521)}secret:${OLDER}`,
      `secret:${OLDER}\n\n${publicPem(p384)}\n\n\n${publicPem(p521)}\n`,
      `secret:${OLDER}\n${escaped(publicPem(p384))}${escaped(publicPem(p521))}`,
      `${escaped(publicPem(p384))}secret:${OLDER}\n${publicPem(p521).trim()}`,
      `secret:${OLDER}\r\n${(publicPem(p384) + publicPem(p521)).replaceAll('\n', '\r\n')}`,
    ];
    const secretId = ringOf({ SECRET_KEY: OLDER }).signing.id;
    for (const VERIFYING_KEYS of forms) {
      const ring = ringOf({ ...es, VERIFYING_KEYS });
      expect(ring.publicKeys().map(({ alg }) => alg)).toEqual(['ES256', 'ES384', 'ES512']);
      expect(ring.find(secretId)?.algorithm).toBe('HS256');
    }
  });

  test('are bound to one algorithm each: of their curve, of the setting if it is of their kind, else RS256 and HS256', () => {
    const all = `${publicPem(rsa)}${publicPem(p256)}${publicPem(p384)}${publicPem(rsa, 'pkcs1')}`;
    expect(bound({ ...es, VERIFYING_KEYS: all })).toEqual(['ES256', 'RS256', 'ES384']);
    const other = privatePem(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);
    expect(bound({ ALGORITHM: 'PS512', PRIVATE_KEY: other, VERIFYING_KEYS: all })).toEqual([
      'PS512',
      'PS512',
      'ES256',
      'ES384',
    ]);
    const secrets = { SECRET_KEY: `${SECRET}${SECRET}`, VERIFYING_KEYS: `secret:${OLDER}${OLDER}\n${publicPem(rsa)}` };
    const olderId = ringOf({ SECRET_KEY: `${OLDER}${OLDER}` }).signing.id;
    for (const ALGORITHM of ['HS256', 'HS384', 'HS512']) {
      expect(ringOf({ ...secrets, ALGORITHM }).find(olderId)?.algorithm).toBe(ALGORITHM);
      expect(bound({ ...secrets, ALGORITHM })).toEqual(['RS256']);
    }
  });

  test('may include the signing key, as during the preparation of a rotation', () => {
    const ring = ringOf({ ...es, VERIFYING_KEYS: publicPem(p256) + publicPem(p384) + publicPem(p384) });
    expect(ring.publicKeys().map(({ alg }) => alg)).toEqual(['ES256', 'ES384']);
    expect(
      ringOf({ SECRET_KEY: SECRET, ALGORITHM: 'HS384', VERIFYING_KEYS: `secret:${SECRET}` }).signing.algorithm,
    ).toBe('HS384');
  });

  test.each<[what: string, VERIFYING_KEYS: string, message: RegExp]>([
    ['a private key', privatePem(p384), /private key/],
    ['a private key in SEC1', privatePem(p384, 'sec1'), /private key/],
    ['a private key among public ones', publicPem(rsa) + escaped(privatePem(p384)), /private key/],
    ['an encrypted private key', encrypted, /private key/],
    ['a certificate', certificate, /may contain only/],
    ['a stray line', `${publicPem(p384)}distinctive`, /may contain only/],
    ['a comment', `# distinctive\n${publicPem(p384)}`, /may contain only/],
    ['a bare secret', OLDER, /may contain only/],
    ['a secret in capitals', `SECRET:${OLDER}`, /may contain only/],
    ['a path', './older.pem', /may contain only/],
    ['half a PEM', publicPem(p384).slice(0, 100), /may contain only/],
    ['a PEM with a line missing', publicPem(rsa).replace(/\n.+\n/, '\n'), /cannot be read/],
    ['an empty secret', 'secret:', /32 bytes/],
    ['a short secret', `secret:${'k'.repeat(31)}`, /at least 32 bytes for HS256/],
    ['a secret with a space in front', `secret: ${OLDER}`, /white space/],
    ['a secret with a space behind', `secret:${OLDER} \n`, /white space/],
    ['two secrets on a line', `secret:${OLDER}\\nsecret:${OLDER}`, /line end/],
    ['RSA of 1024 bits', publicPem(rsa1024), /2048 bits/],
    ['RSA-PSS', publicPem(rsaPss), /unsupported key/],
    ['secp256k1', publicPem(koblitz), /unsupported key/],
    ['Ed25519', publicPem(ed25519), /unsupported key/],
  ])('are refused: %s', async (_, VERIFYING_KEYS, message) => {
    const expected = { message: expect.stringMatching(message) };
    expect(faultOf(() => read({ ...es, VERIFYING_KEYS }))).toEqual({
      setting: 'JWT_ALLAUTH_VERIFYING_KEYS',
      ...expected,
    });
    const VERIFYING_KEYS_FILE = await file('verifying.pem', VERIFYING_KEYS);
    expect(faultOf(() => read({ ...es, VERIFYING_KEYS_FILE }))).toEqual({
      setting: 'JWT_ALLAUTH_VERIFYING_KEYS_FILE',
      ...expected,
    });
  });

  test('an older secret needs as many bytes as its algorithm requires', () => {
    const VERIFYING_KEYS = `secret:${SECRET}`;
    const long = `${OLDER}${OLDER}`;
    expect(read({ ALGORITHM: 'HS384', SECRET_KEY: long, VERIFYING_KEYS }).algorithm).toBe('HS384');
    expect(faultOf(() => read({ ALGORITHM: 'HS512', SECRET_KEY: long, VERIFYING_KEYS })).message).toContain('64 bytes');
  });

  test('an empty file is refused, and so is a file together with the text', async () => {
    const empty = await file('none.pem', '\n\n');
    const good = await file('one.pem', publicPem(p384));
    expect(faultOf(() => read({ ...es, VERIFYING_KEYS_FILE: empty })).message).toBe('is the path of an empty file');
    expect(faultOf(() => read({ ...es, VERIFYING_KEYS_FILE: good, VERIFYING_KEYS: publicPem(p384) }))).toEqual({
      setting: 'JWT_ALLAUTH_VERIFYING_KEYS_FILE',
      message: expect.stringContaining('set one of them'),
    });
  });
});

test('all faults of keys are listed with those of other settings, and no part of a key, a file or an OpenSSL error is shown', async () => {
  const broken = privatePem(rsa).replace(/\n.+\n/, '\nAAAAdistinctiveAAAA\n');
  const make = () =>
    read({
      ALGORITHM: 'RS256',
      SECRET_KEY: 'distinctive secret',
      PRIVATE_KEY: broken,
      VERIFYING_KEYS: 'distinctive',
      ISSUER: ' ',
      SESSION_LIFETIME: 'distinctive',
    });
  expect(
    faultsOf(make)
      .map(({ setting }) => setting.replace('JWT_ALLAUTH_', ''))
      .sort(),
  ).toEqual(['ISSUER', 'PRIVATE_KEY', 'SECRET_KEY', 'SESSION_LIFETIME', 'VERIFYING_KEYS']);
  try {
    make();
    expect.unreachable();
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    const shown = [error.stack, inspect(error, { depth: 9, showHidden: true }), JSON.stringify(error)];
    for (const text of shown) expect(text).not.toMatch(/distinctive|error:[0-9A-F]|DECODER|asn1/i);
  }
});

test('an unknown algorithm is the only fault, whichever key comes with it', () => {
  const given: Record<string, string>[] = [{ SECRET_KEY: SECRET }, { PRIVATE_KEY: privatePem(p256) }, {}];
  for (const keys of given) {
    const fault = faultOf(() => read({ ALGORITHM: 'es256', ...keys }));
    expect(fault).toEqual({
      setting: 'JWT_ALLAUTH_ALGORITHM',
      message: 'must be one of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512',
    });
  }
});

test('printed settings and keys do not show a key', () => {
  const PRIVATE_KEY = privatePem(p256);
  const settings = read({ ALGORITHM: 'ES256', PRIVATE_KEY, VERIFYING_KEYS: `secret:${OLDER}` });
  const ring = new KeyRing(settings);
  const d = secretOf(p256) ?? '';
  for (const value of [settings, ring, { nested: [settings, ring] }, new Error('x', { cause: settings })]) {
    for (const text of [inspect(value, { depth: 9, showHidden: true, getters: true }), JSON.stringify(value)]) {
      for (const secret of [OLDER, d, ...PRIVATE_KEY.split('\n').slice(1, 3)]) expect(text).not.toContain(secret);
    }
  }
  expect(JSON.parse(JSON.stringify(settings))).toMatchObject({ privateKey: '[redacted]', verifyingKeys: '[redacted]' });
  expect(settings.privateKey).toBe(PRIVATE_KEY);
});
