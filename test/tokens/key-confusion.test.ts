import { constants, createHmac, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveSettings } from '../../src/settings/settings.js';
import { KeyRing } from '../../src/tokens/key-ring.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { encode, openToken, type Part } from '../support/forge.js';
import { expectTokenNotValid, INVALID_TOKEN } from '../support/refusal.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import type { TestClient } from '../support/test-client.js';
import { newKey, type TestKey } from '../support/test-keys.js';

/** Signs by hand, whatever the header says: `alg` is here only the algorithm that is used. */
function signWith(alg: string, key: string | Buffer, header: object, claims: Part): string {
  const input = `${encode(header)}.${encode(claims)}`;
  const hash = `sha${alg.slice(2)}`;
  const padding = alg.startsWith('PS') ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
  const signature = alg.startsWith('HS')
    ? createHmac(hash, key).update(input).digest()
    : sign(hash, Buffer.from(input), {
        key,
        dsaEncoding: 'ieee-p1363',
        ...(!alg.startsWith('ES') && { padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }),
      });
  return `${input}.${signature.toString('base64url')}`;
}

/** The app signs with RS256; an EC key and a secret verify older tokens. */
let app: TestApp;
let client: TestClient;
let rsa: TestKey;
let ec: TestKey;
let hmac: TestKey;
const forger = generateKeyPairSync('rsa', { modulusLength: 2048 });
const forgerPem = forger.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;

beforeAll(async () => {
  [rsa, ec, hmac] = await Promise.all([newKey('RS256'), newKey('ES256'), newKey('HS256')]);
  app = await createTestApp({ settings: { ...rsa.settings, verifyingKeys: ec.older + hmac.older } });
  client = await app.signedUp();
});
afterAll(async () => {
  expect((await client.get('/auth/user')).status).toBe(200);
  expect((await client.refresh()).status).toBe(200);
  await app.close();
});

const privateKey = ({ settings }: TestKey) => settings.privateKey ?? '';
const secret = () => hmac.settings.secretKey ?? '';
const kidOf = ({ settings }: TestKey) =>
  new KeyRing(resolveSettings({ encryptionKeys: ENCRYPTION_KEY, ...settings })).signing.id;

/** A forged token made from a real one: the changed header fields, and the key that signed it. */
type Forge = (header: Record<string, unknown>, claims: object) => string;

const publicForms: [string, () => string | Buffer][] = [
  ['its PEM', () => rsa.older],
  ['its PEM without the last line end', () => rsa.older.trim()],
  ['its PEM with other line ends', () => rsa.older.replaceAll('\n', '\r\n')],
  ['its PEM in PKCS#1', () => createPublicKey(rsa.older).export({ type: 'pkcs1', format: 'pem' })],
  ['its DER', () => createPublicKey(rsa.older).export({ type: 'spki', format: 'der' })],
  ['its modulus', () => Buffer.from(createPublicKey(rsa.older).export({ format: 'jwk' }).n ?? '', 'base64url')],
];

const FORGERIES: [string, Forge][] = [
  ...publicForms.map(([form, text]): [string, Forge] => [
    `HS256 with the public key as the secret: ${form}`,
    (header, claims) => signWith('HS256', text(), { ...header, alg: 'HS256' }, claims),
  ]),
  ['RS256 in the header of such an HS256 signature', (header, claims) => signWith('HS256', rsa.older, header, claims)],
  [
    'HS256 with the public PEM of the older EC key, under its kid',
    (header, claims) => signWith('HS256', ec.older, { ...header, alg: 'HS256', kid: kidOf(ec) }, claims),
  ],
  ...['PS256', 'RS384', 'RS512', 'PS512'].map((alg): [string, Forge] => [
    `${alg} with the right key, which is for RS256`,
    (header, claims) => signWith(alg, privateKey(rsa), { ...header, alg }, claims),
  ]),
  [
    'a PS256 signature of the right key under alg RS256',
    (header, claims) => signWith('PS256', privateKey(rsa), header, claims),
  ],
  ...['none', 'None', ''].map((alg): [string, Forge] => [
    `alg "${alg}", unsigned`,
    (header, claims) => `${encode({ ...header, alg })}.${encode(claims)}.`,
  ]),
  [
    'ES256 by the older EC key under the kid of the RSA key',
    (header, claims) => signWith('ES256', privateKey(ec), { ...header, alg: 'ES256' }, claims),
  ],
  [
    'RS256 by the RSA key under the kid of the EC key',
    (header, claims) => signWith('RS256', privateKey(rsa), { ...header, kid: kidOf(ec) }, claims),
  ],
  [
    'HS256 by the older secret under the kid of the RSA key',
    (header, claims) => signWith('HS256', secret(), { ...header, alg: 'HS256' }, claims),
  ],
  [
    'RS256 by the RSA key under the kid of the secret',
    (header, claims) => signWith('RS256', privateKey(rsa), { ...header, kid: kidOf(hmac) }, claims),
  ],
  [
    'HS512 by the older secret, which is for HS256',
    (header, claims) => signWith('HS512', secret(), { ...header, alg: 'HS512', kid: kidOf(hmac) }, claims),
  ],
  ['RS256 by a key of the forger', (header, claims) => signWith('RS256', forgerPem, header, claims)],
  [
    'RS256 by a key of the forger in jwk',
    (header, claims) =>
      signWith('RS256', forgerPem, { ...header, jwk: forger.publicKey.export({ format: 'jwk' }) }, claims),
  ],
  [
    'the right key with its own jwk in the header',
    (header, claims) =>
      signWith(
        'RS256',
        privateKey(rsa),
        { ...header, jwk: createPublicKey(rsa.older).export({ format: 'jwk' }) },
        claims,
      ),
  ],
  [
    'the right key with a jku',
    (header, claims) =>
      signWith('RS256', privateKey(rsa), { ...header, jku: `${app.url}/auth/.well-known/jwks.json` }, claims),
  ],
  [
    'a signature of the older EC key whose last character has bits that no byte has',
    (header, claims) => {
      const token = signWith('ES256', privateKey(ec), { ...header, alg: 'ES256', kid: kidOf(ec) }, claims);
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
      return token.slice(0, -1) + alphabet[alphabet.indexOf(token.slice(-1)) + 1];
    },
  ],
  [
    'a signature of the older EC key in DER',
    (header, claims) => {
      const input = `${encode({ ...header, alg: 'ES256', kid: kidOf(ec) })}.${encode(claims)}`;
      return `${input}.${sign('sha256', Buffer.from(input), privateKey(ec)).toString('base64url')}`;
    },
  ],
  [
    'an ES256 signature of zeros',
    (header, claims) =>
      `${encode({ ...header, alg: 'ES256', kid: kidOf(ec) })}.${encode(claims)}.${Buffer.alloc(64).toString('base64url')}`,
  ],
];

const genuine = [
  ['RS256 by the RSA key', (header, claims) => signWith('RS256', privateKey(rsa), header, claims)],
  [
    'ES256 by the older EC key',
    (header, claims) => signWith('ES256', privateKey(ec), { ...header, alg: 'ES256', kid: kidOf(ec) }, claims),
  ],
  [
    'HS256 by the older secret',
    (header, claims) => signWith('HS256', secret(), { ...header, alg: 'HS256', kid: kidOf(hmac) }, claims),
  ],
] satisfies [string, Forge][];

describe('a token with a key that does not belong to it', () => {
  const forged = (token: string, forge: Forge) => {
    const { header, claims } = openToken(token);
    return forge(header, claims);
  };

  test.each(FORGERIES)('is refused: %s', async (_, forge) => {
    const sessions = await app.sessions();
    const headers = { authorization: `Bearer ${forged(client.access, forge)}` };
    expectTokenNotValid(await app.client().send('GET', '/auth/user', undefined, headers), INVALID_TOKEN);
    const cookie = `refresh_token=${forged(client.refreshToken, forge)}`;
    expectTokenNotValid(await app.client().send('POST', '/auth/refresh', undefined, { cookie }), 'Bearer');
    expect(await app.sessions()).toEqual(sessions);
    expect(app.events).toEqual([]);
  });

  test.each(genuine)('is accepted with its own key, signed by hand in the same way: %s', async (_, forge) => {
    const headers = { authorization: `Bearer ${forged(client.access, forge)}` };
    expect((await app.client().send('GET', '/auth/user', undefined, headers)).status).toBe(200);
    const cookie = `refresh_token=${forged(client.refreshToken, forge)}`;
    const answer = await app.client().send('POST', '/auth/refresh', undefined, { cookie });
    expect([answer.status, openToken(answer.body.access).header.alg]).toEqual([200, 'RS256']);
    client.refreshToken = answer.cookie?.value ?? '';
    client.access = answer.body.access;
  });
});
