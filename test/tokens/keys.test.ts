import crypto, { createPublicKey, type JsonWebKey } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { calculateJwkThumbprint } from 'jose';
import jwt from 'jsonwebtoken';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Algorithm } from '../../src/index.js';
import { ALGORITHMS, CURVES, SECRET_BYTES } from '../../src/settings/algorithm.js';
import { resolveSettings } from '../../src/settings/settings.js';
import { generateKeys } from '../../src/tokens/generate-keys.js';
import { KeyRing } from '../../src/tokens/key-ring.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { encode, openToken } from '../support/forge.js';
import { countQueries } from '../support/query-count.js';
import { expectTokenNotValid, INVALID_TOKEN } from '../support/refusal.js';
import { createTestApp, SECRET, type TestApp } from '../support/test-app.js';
import { newKey } from '../support/test-keys.js';

const KEY_PAIRS = Object.keys(CURVES) as Algorithm[];
const SECRETS = Object.entries(SECRET_BYTES) as [Algorithm, number][];

describe('every algorithm', () => {
  let first: TestApp;
  beforeAll(async () => {
    first = await createTestApp();
  });
  afterAll(() => first.close());

  test.each(ALGORITHMS)('%s signs and verifies a sign-up, a request, a refresh and a login', async (algorithm) => {
    const { settings, older } = await newKey(algorithm);
    const app = await createTestApp({ settings, database: first.database });
    const client = await app.signedUp();
    const { email } = (await client.get('/auth/user')).body;
    expect((await client.refresh()).status).toBe(200);
    expect(await client.get('/auth/user')).toMatchObject({ status: 200, body: { email } });
    expect((await app.client().login(email)).status).toBe(200);

    const headers = [client.access, client.refreshToken].map((token) => openToken(token).header);
    const kid = algorithm.startsWith('HS')
      ? expect.stringMatching(/^[\w-]{16}$/)
      : await calculateJwkThumbprint(createPublicKey(older).export({ format: 'jwk' }) as never);
    expect(headers).toEqual([
      { alg: algorithm, typ: 'at+jwt', kid },
      { alg: algorithm, typ: 'rt+jwt', kid },
    ]);
    await app.close();
  });

  test.each(ALGORITHMS)(
    '%s counts failed logins in development, with a key derived from the signing key',
    async (algorithm) => {
      const { settings } = await newKey(algorithm);
      const own = { ...settings, encryptionKeys: [], loginRateLimit: '1/15m/account' };
      const options = { database: first.database, settings: own };
      const [one, two] = [await createTestApp(options), await createTestApp(options)];
      const wrong = (app: TestApp) => app.client().login('nobody@example.com', 'a wrong sentence');
      expect((await wrong(one)).status).toBe(401);
      expect((await wrong(two)).status).toBe(429);
      await Promise.all([one.close(), two.close()]);
    },
  );
});

describe('the same successor within the grace', () => {
  test.each(['PS256', 'ES256'] as const)(
    'has the same claims under %s, although signatures differ',
    async (algorithm) => {
      const app = await createTestApp({ settings: (await newKey(algorithm)).settings });
      const tab = await app.signedUp();
      const other = tab.copy();
      const answers = [await tab.refresh(), await other.refresh()];
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      expect(openToken(tab.refreshToken).claims).toEqual(openToken(other.refreshToken).claims);
      expect(tab.refreshToken).not.toBe(other.refreshToken);
      expect((await other.refresh()).status).toBe(200);
      expect((await tab.refresh()).status).toBe(200);
      await app.close();
    },
  );
});

describe('a flood of tokens with unknown key ids', () => {
  let app: TestApp;
  let flood: string[];
  beforeAll(async () => {
    const [es, rs, hs] = await Promise.all([newKey('ES256'), newKey('RS256'), newKey('HS256')]);
    app = await createTestApp({ settings: { ...es.settings, verifyingKeys: rs.older + hs.older } });
    const { header, claims, signature } = openToken((await app.signedUp()).access);
    const algs = ['ES256', 'RS256', 'HS256'];
    flood = Array.from({ length: 10_000 }, (_, n) => {
      const kid = crypto.createHash('sha256').update(String(n)).digest('base64url');
      return `${encode({ ...header, alg: algs[n % algs.length], kid })}.${encode(claims)}.${signature}`;
    });
  });
  afterAll(() => app.close());

  test('is refused without a check of a signature, a hash, a key or the database', async () => {
    const work = ['createVerify', 'createHmac', 'createHash', 'createPublicKey', 'createSecretKey', 'verify'] as const;
    const spies = [...work.map((name) => vi.spyOn(crypto, name)), vi.spyOn(jwt, 'verify'), vi.spyOn(jwt, 'decode')];
    syncBuiltinESMExports();
    try {
      const queries = await countQueries(app.orm, async () => {
        for (const token of flood) {
          expect(() => app.auth.tokens.verifyAccess(token)).toThrow('The token is not valid.');
          expect(() => app.auth.tokens.verifyRefresh(token)).toThrow('The token is not valid.');
        }
      });
      expect(queries).toEqual([]);
      for (const spy of spies) expect(spy).not.toHaveBeenCalled();

      const known = await app.signedUp();
      expect((await known.get('/auth/user')).status).toBe(200);
      expect(spies[0]).toHaveBeenCalled(); // shows that the spied functions do the verifying
    } finally {
      for (const spy of spies) spy.mockRestore();
      syncBuiltinESMExports();
    }
  });

  test('is answered like any other invalid token', async () => {
    for (const token of flood.slice(0, 3)) {
      const bearer = { authorization: `Bearer ${token}` };
      expectTokenNotValid(await app.client().send('GET', '/auth/user', undefined, bearer), INVALID_TOKEN);
    }
    expect(app.log).toEqual([]);
  });
});

describe('generateKeys', () => {
  test.each(SECRETS)('%s gets a random secret of %d bytes, more when written as text', async (algorithm, bytes) => {
    const made = await Promise.all([generateKeys(algorithm), generateKeys(algorithm)]);
    const texts = made.map((keys) => ('secret' in keys ? keys.secret : ''));
    for (const secret of texts) {
      expect(secret).toMatch(/^[\w-]+$/);
      expect(Buffer.from(secret, 'base64url')).toHaveLength(bytes);
      expect(resolveSettings({ encryptionKeys: ENCRYPTION_KEY, algorithm, secretKey: secret }).secretKey).toBe(secret);
    }
    expect(new Set(texts).size).toBe(2);
  });

  test.each(KEY_PAIRS)('%s gets a private key in PKCS#8 and the matching public key', async (algorithm) => {
    const keys = await generateKeys(algorithm);
    if ('secret' in keys) throw new Error('no key pair');
    expect(keys.privateKey).toMatch(/^-----BEGIN PRIVATE KEY-----\n[\w+/=\n]+\n-----END PRIVATE KEY-----\n$/);
    expect(keys.publicKey).toMatch(/^-----BEGIN PUBLIC KEY-----\n[\w+/=\n]+\n-----END PUBLIC KEY-----\n$/);
    const ring = new KeyRing(
      resolveSettings({ encryptionKeys: ENCRYPTION_KEY, algorithm, privateKey: keys.privateKey }),
    );
    const { kid } = ring.publicKeys()[0] ?? {};
    expect(kid).toBe(await calculateJwkThumbprint(createPublicKey(keys.publicKey).export({ format: 'jwk' }) as never));
    const { modulusLength = 3072 } = createPublicKey(keys.publicKey).asymmetricKeyDetails ?? {};
    expect(modulusLength).toBe(3072);
  });
});

describe('a thumbprint', () => {
  test('is that of the example in RFC 7638 §3.1', () => {
    const n =
      '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3' +
      'oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgd' +
      'AZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCu' +
      'r-kEgU8awapJzKnqDKgw';
    const jwk: JsonWebKey = { kty: 'RSA', n, e: 'AQAB' };
    const verifyingKeys = createPublicKey({ key: jwk, format: 'jwk' }).export({
      type: 'spki',
      format: 'pem',
    }) as string;
    const ring = new KeyRing(resolveSettings({ encryptionKeys: ENCRYPTION_KEY, secretKey: SECRET, verifyingKeys }));
    expect(ring.publicKeys().map(({ kid }) => kid)).toEqual(['NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs']);
  });
});

describe('the encryption key of a signing key', () => {
  test('differs by key, is the same for both forms of a PEM, and reveals nothing of it', async () => {
    const { settings } = await newKey('ES256');
    const older = crypto.createPrivateKey(settings.privateKey ?? '').export({ type: 'sec1', format: 'pem' }) as string;
    const derive = (input: object) =>
      new KeyRing(resolveSettings({ encryptionKeys: ENCRYPTION_KEY, ...input })).deriveEncryptionKey().toString('hex');
    const one = derive(settings);
    expect(one).toMatch(/^[0-9a-f]{64}$/);
    expect(derive({ ...settings, privateKey: older })).toBe(one);
    const others = [derive((await newKey('ES256')).settings), derive({ secretKey: SECRET })];
    expect(new Set([one, ...others, Buffer.from(SECRET).toString('hex')]).size).toBe(4);
  });
});
