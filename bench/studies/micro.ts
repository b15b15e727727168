import {
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  verify as verifySignature,
} from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import jwt, { type Algorithm } from 'jsonwebtoken';
import { Clock, RefreshToken, TokenFactory, type TokenSession } from '../../src/index.js';
import { resolveSettings } from '../../src/settings/settings.js';
import { KeyRing } from '../../src/tokens/key-ring.js';
import { table } from '../section.js';
import { claimsOf } from '../servers/claims.js';
import { ARGON2, ENCRYPTION_KEY, PASSWORD, SECRET } from '../servers/serve.js';
import { median } from '../statistics.js';
import type { Study } from './study.js';

/** Measures each part alone in this process, warm and undisturbed: its minimum cost. */
export const micro: Study = {
  id: 'micro',
  title: 'Single operations',
  async run({ isQuick }) {
    const rounds = isQuick ? 1 : 15;
    const rows: [string, string][] = [];
    const time = async (what: string, calls: number, work: () => unknown) => {
      const times: number[] = [];
      for (let round = -1; round < rounds; round++) {
        const start = performance.now();
        for (let call = 0; call < calls; call++) await work();
        if (round >= 0) times.push(((performance.now() - start) * 1000) / calls);
      }
      rows.push([what, median(times).toFixed(1)]);
    };

    const secret = createSecretKey(SECRET, 'utf8');
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const claims = claimsOf(randomUUID());
    const sign = (algorithm: Algorithm, key: KeyObject) => jwt.sign(claims, key, { algorithm });
    for (const [algorithm, signing, verifying] of [
      ['HS256', secret, secret],
      ['RS256', rsa.privateKey, rsa.publicKey],
      ['ES256', ec.privateKey, ec.publicKey],
    ] as const) {
      const token = sign(algorithm, signing);
      await time(`jsonwebtoken signs ${algorithm}, KeyObject`, 200, () => sign(algorithm, signing));
      await time(`jsonwebtoken verifies ${algorithm}, KeyObject`, 500, () =>
        jwt.verify(token, verifying, { algorithms: [algorithm] }),
      );
    }
    const token = sign('HS256', secret);
    const [algorithms, buffer] = [['HS256' as const], Buffer.from(SECRET)];
    await time('jsonwebtoken verifies HS256, string', 200, () => jwt.verify(token, SECRET, { algorithms }));
    await time('jsonwebtoken verifies HS256, Buffer', 200, () => jwt.verify(token, buffer, { algorithms }));
    await time('jsonwebtoken verifies HS256, KeyObject, no `algorithms`', 500, () => jwt.verify(token, secret));
    const [head, body, signature = ''] = sign('ES256', ec.privateKey).split('.');
    const [signed, bytes] = [Buffer.from(`${head}.${body}`), Buffer.from(signature, 'base64url')];
    const raw = { key: ec.publicKey, dsaEncoding: 'ieee-p1363' } as const;
    await time('node:crypto verifies ES256', 500, () => verifySignature('sha256', signed, raw, bytes));

    const settings = resolveSettings({
      secretKey: SECRET,
      encryptionKeys: [ENCRYPTION_KEY],
      accessTokenLifetime: '1h',
      refreshTokenAsCookie: false,
    });
    const factory = new TokenFactory({ keys: new KeyRing(settings), settings, clock: new Clock() }, RefreshToken, []);
    const now = Math.floor(Date.now() / 1000);
    const session: TokenSession = {
      id: randomUUID(),
      jti: randomUUID(),
      openedAt: now,
      issuedAt: now,
      expiresAt: now + 1e5,
      amr: ['pwd'],
      authTime: now,
      claims: {},
    };
    const user = { id: randomUUID(), role: 0, emailVerified: true } as never;
    const issue = async () => factory.sign(await factory.prepare(user, { session }), session);
    const tokens = await issue();
    await time('the library issues both tokens of a session, HS256', 200, issue);
    await time('the library verifies a refresh token', 500, () => factory.verifyRefresh(tokens.refresh));
    await time('the library verifies an access token seen before', 2000, () => factory.verifyAccess(tokens.access));
    const garbage = 'garbage'.repeat(80);
    await time('the library refuses garbage', 500, () => refused(() => factory.verifyAccess(garbage)));

    const expected = await hash(PASSWORD, ARGON2);
    await time('argon2id hash, 19 MiB, 2 passes', 3, () => hash(PASSWORD, ARGON2));
    await time('argon2id verify', 3, () => verify(expected, PASSWORD));
    return { lines: table(['what', 'µs'], rows), verdicts: [] };
  },
};

function refused(work: () => unknown): boolean {
  try {
    work();
    return false;
  } catch {
    return true;
  }
}
