import { createPublicKey, createVerify, type JsonWebKey } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CURVES } from '../../../src/settings/algorithm.js';
import { openToken } from '../../support/forge.js';
import { expectProblemDetails } from '../../support/problem-details.js';
import { countQueries } from '../../support/query-count.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { createTestApp, type TestApp } from '../../support/test-app.js';
import { PASSWORD } from '../../support/test-client.js';
import { newKey, type TestKey } from '../../support/test-keys.js';

const PATH = '/auth/.well-known/jwks.json';

/** The private members of a JWK (RFC 7518 §6). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** A public key as a resource server should receive it. */
const published = async (pem: string, alg: string) => {
  const jwk = createPublicKey(pem).export({ format: 'jwk' });
  return { ...jwk, kid: await calculateJwkThumbprint(jwk as never), use: 'sig', alg };
};

describe('the key set', () => {
  let first: TestApp;
  beforeAll(async () => {
    first = await createTestApp();
  });
  afterAll(() => first.close());

  const withKeys = async (settings: object, work: (app: TestApp) => Promise<void>) => {
    const app = await createTestApp({ database: first.database, settings });
    await work(app);
    await app.close();
  };

  test.each(Object.keys(CURVES) as (keyof typeof CURVES)[])(
    'has the public key of %s, its thumbprint, and nothing private',
    async (algorithm) => {
      const { settings, older } = await newKey(algorithm);
      await withKeys(settings, async (app) => {
        const answer = await app.client().send('GET', PATH);
        expect(answer.status).toBe(200);
        expect(answer.body).toEqual({ keys: [await published(older, algorithm)] });
        const members = CURVES[algorithm] ? ['crv', 'kty', 'x', 'y'] : ['e', 'kty', 'n'];
        expect(Object.keys(answer.body.keys[0]).sort()).toEqual([...members, 'alg', 'kid', 'use'].sort());
        for (const member of PRIVATE_MEMBERS) expect(answer.body.keys[0]).not.toHaveProperty(member);
      });
    },
  );

  test('lists the signing key first, then the older public keys, and no secret', async () => {
    const [es, rs, es384, hs] = (await Promise.all((['ES256', 'RS256', 'ES384', 'HS256'] as const).map(newKey))) as [
      TestKey,
      TestKey,
      TestKey,
      TestKey,
    ];
    const verifyingKeys = hs.older + rs.older + es.older + es384.older;
    await withKeys({ ...es.settings, verifyingKeys }, async (app) => {
      const { body } = await app.client().send('GET', PATH);
      expect(body).toEqual({
        keys: [
          await published(es.older, 'ES256'),
          await published(rs.older, 'RS256'),
          await published(es384.older, 'ES384'),
        ],
      });
      expect(JSON.stringify(body)).not.toContain(hs.settings.secretKey);
      expect(JSON.stringify(body)).not.toMatch(/"(d|p|q|dp|dq|qi|oth|k)":/);
    });
  });

  test('is empty if a secret signs, except for the public keys that also verify', async () => {
    const answer = await first.client().send('GET', PATH);
    expect([answer.status, answer.body]).toEqual([200, { keys: [] }]);
    const [hs, older, next] = (await Promise.all((['HS512', 'HS512', 'ES256'] as const).map(newKey))) as [
      TestKey,
      TestKey,
      TestKey,
    ];
    await withKeys({ ...hs.settings, verifyingKeys: older.older + next.older }, async (app) => {
      expect((await app.client().send('GET', PATH)).body).toEqual({ keys: [await published(next.older, 'ES256')] });
    });
  });

  test('is sufficient to verify an access token by hand', async () => {
    await withKeys((await newKey('ES384')).settings, async (app) => {
      const { access } = await app.signedUp();
      const { body } = await app.client().send('GET', PATH);
      const [jwk]: JsonWebKey[] = body.keys.filter(({ kid }: { kid: string }) => kid === openToken(access).header.kid);
      const [, input = '', signature = ''] = /^(.+)\.(.+)$/.exec(access) ?? [];
      const key = { key: createPublicKey({ key: jwk ?? {}, format: 'jwk' }), dsaEncoding: 'ieee-p1363' as const };
      const verifier = createVerify('sha384').update(input);
      expect(verifier.verify(key, signature, 'base64url')).toBe(true);
    });
  });
});

describe('the endpoint of the key set', () => {
  let app: TestApp;
  let proxy: TcpProxy;
  beforeAll(async () => {
    proxy = await TcpProxy.start();
    const { settings } = await newKey('ES256');
    app = await createTestApp({
      settings,
      databaseUrl: (direct) => proxy.urlOf(direct),
      auth: { prefix: '/api/v1/id' },
    });
  });
  afterAll(async () => {
    await proxy.setDoor('open');
    await app.close();
    await proxy.close();
  });
  const path = '/api/v1/id/.well-known/jwks.json';

  test('can be cached by anybody for five minutes, and supports conditional requests', async () => {
    const answer = await app.client().send('GET', path);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(answer.headers.get('cache-control')).toBe('public, max-age=300');
    expect(answer.headers.getSetCookie()).toEqual([]);
    const etag = answer.headers.get('etag') ?? '';
    const conditional = { 'if-none-match': etag, 'cache-control': 'max-age=0' };
    const again = await app.client().send('GET', path, undefined, conditional);
    expect([again.status, again.body, again.headers.get('cache-control')]).toEqual([304, '', 'public, max-age=300']);
  });

  test('requires no credentials, and ignores invalid ones', async () => {
    const bad: Record<string, string>[] = [
      { authorization: 'Bearer garbage' },
      { cookie: 'refresh_token=garbage' },
      { origin: 'null' },
    ];
    for (const headers of bad) {
      expect((await app.client().send('GET', path, undefined, headers)).status).toBe(200);
    }
  });

  test('is read-only', async () => {
    expectProblemDetails(await app.client().send('POST', path, {}), 404, 'not_found');
  });

  test('needs no database, and works while the database is away', async () => {
    expect(await countQueries(app.orm, () => app.client().send('GET', path))).toEqual([]);
    await proxy.setDoor('closed');
    const login = { email: 'a@example.com', password: PASSWORD };
    expect((await app.client().send('POST', '/api/v1/id/login', login)).status).toBe(503);
    expect((await app.client().send('GET', path)).body.keys).toHaveLength(1);
  });
});
