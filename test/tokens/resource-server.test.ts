import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRemoteJWKSet, errors, jwtVerify, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../src/testing/free-port.js';
import { COMPILE_CACHE } from '../support/compile-cache.js';
import { encode, openToken } from '../support/forge.js';
import { secrets } from '../support/secrets.js';
import { TestClient } from '../support/test-client.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { newKey, type TestKey } from '../support/test-keys.js';

const MAIN = fileURLToPath(new URL('../../dist/demo/main.js', import.meta.url));
const ISSUER = 'https://id.example.com';

let database: TestDatabase;
let directory: string;
let port: number;
const keys: TestKey[] = [];

/** The demo as a process, with these keys. */
async function startDemo(signing: TestKey, older = '') {
  const { algorithm = '', privateKey = '' } = signing.settings;
  const child = spawn(process.execPath, [MAIN], {
    cwd: directory,
    env: {
      ...COMPILE_CACHE,
      DATABASE_URL: database.url,
      PORT: String(port),
      DEMO_DATA: join(directory, 'data'),
      DEMO_STAFF_PASSWORD: 'the staff of the demo',
      JWT_ALLAUTH_ALGORITHM: algorithm,
      JWT_ALLAUTH_PRIVATE_KEY: privateKey,
      JWT_ALLAUTH_ISSUER: ISSUER,
      ...(older && { JWT_ALLAUTH_VERIFYING_KEYS: older }),
    },
  });
  const ended = once(child, 'exit');
  let output = '';
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk;
        if (output.includes('demo at')) resolve();
      });
    }
    child.once('exit', () => reject(new Error(`the demo ended: ${output}`)));
  });
  return async () => {
    child.kill();
    await ended;
    secrets.saw('the output of the demo', output);
  };
}

describe('a resource server with jose and the running demo', () => {
  let stop: () => Promise<void>;
  let client: TestClient;
  let keySet: ReturnType<typeof createRemoteJWKSet>;
  beforeAll(async () => {
    database = await createTestDatabase();
    directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-resource-'));
    port = await freePort();
    keys.push(await newKey('ES256'), await newKey('RS256'));
    stop = await startDemo(keys[0] as TestKey);
    client = new TestClient(`http://127.0.0.1:${port}`, 'cookie', 'refresh_token');
    expect((await client.register('reader@example.com')).status).toBe(201);
    const url = new URL(`${client.url}/auth/.well-known/jwks.json`);
    keySet = createRemoteJWKSet(url, { cooldownDuration: 0 });
  });
  afterAll(async () => {
    await stop();
    await database.drop();
    await rm(directory, { recursive: true });
    secrets.assertNoneShown();
  });

  const verify = (token: string) => jwtVerify(token, keySet, { typ: 'at+jwt', issuer: ISSUER });

  test('verifies an access token and reads its claims', async () => {
    const { payload, protectedHeader } = await verify(client.access);
    expect(protectedHeader).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: expect.stringMatching(/^[\w-]{43}$/) });
    expect(payload).toMatchObject({ sub: expect.any(String), token_type: 'access', role: 0, permissions: [] });
    expect((await client.get('/profile/id')).body.id).toBe(payload.sub);
  });

  test('refuses a token that was changed, that has another signature, or that is not an access token', async () => {
    const { header, claims, signature } = openToken(client.access);
    const changed = `${encode(header)}.${encode({ ...claims, role: 1000 })}.${signature}`;
    await expect(verify(changed)).rejects.toThrow(errors.JWSSignatureVerificationFailed);
    const forger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const foreign = new SignJWT(claims).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: String(header.kid) });
    await expect(verify(await foreign.sign(forger))).rejects.toThrow(errors.JWSSignatureVerificationFailed);
    const unknown = new SignJWT(claims).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'unknown' });
    await expect(verify(await unknown.sign(forger))).rejects.toThrow(errors.JWKSNoMatchingKey);
    await expect(verify(client.refreshToken)).rejects.toThrow(errors.JWTClaimValidationFailed);
  });

  test('continues to verify while the key is rotated to another algorithm, and no user has to sign in again', async () => {
    const [ec, rsa] = keys as [TestKey, TestKey];
    const earlier = client.access;
    await stop();
    stop = await startDemo(rsa, ec.older);
    expect((await client.refresh()).status).toBe(200);
    expect((await verify(client.access)).protectedHeader.alg).toBe('RS256');
    expect((await verify(earlier)).protectedHeader.alg).toBe('ES256');
    expect((await client.get('/profile/id')).status).toBe(200);
  });

  test('works with a demo that generated no secret', async () => {
    expect(await readdir(join(directory, 'data')).catch(() => [])).not.toContain('secret-key');
  });
});
