import { generateKeyPairSync, randomInt, sign, verify } from 'node:crypto';
import type { JWK } from 'jose';
import { expect, test } from 'vitest';
import { PROOF_ALGORITHMS, ProofKeys } from '../../src/dpop/proof-keys.js';
import { ProofSigner } from '../support/bound-client.js';

/** The key of RFC 7638 §3.1. */
const OF_RFC_7638 = {
  kty: 'RSA',
  n:
    '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3okn' +
    'jhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6q' +
    'MQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awap' +
    'JzKnqDKgw',
  e: 'AQAB',
  alg: 'RS256',
  kid: '2011-04-29',
};

/** The key of RFC 9449 §4.1. */
const OF_RFC_9449 = {
  kty: 'EC',
  x: 'l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs',
  y: '9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA',
  crv: 'P-256',
};

/** The key of RFC 8037 §A.3. */
const OF_RFC_8037 = { crv: 'Ed25519', kty: 'OKP', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };

const keys = new ProofKeys();
const encode = (header: object) => Buffer.from(JSON.stringify(header)).toString('base64url');
const keyOf = (jwk: unknown, alg: string) => keys.of(encode({ typ: 'dpop+jwt', alg, jwk }));
const thumbprintOf = (jwk: unknown, algorithm: string) => keyOf(jwk, algorithm)?.thumbprint;

test('the keys of RFC 7638, RFC 9449 and RFC 8037 have the thumbprints of these documents', async () => {
  expect(thumbprintOf(OF_RFC_7638, 'RS256')).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs');
  expect(thumbprintOf(OF_RFC_7638, 'PS256')).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs');
  expect(thumbprintOf(OF_RFC_9449, 'ES256')).toBe('0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I');
  expect(thumbprintOf(OF_RFC_8037, 'EdDSA')).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
});

test('a header is read once, and a key is the same in any order of its members and with any other members', () => {
  const first = keyOf(OF_RFC_9449, 'ES256');
  expect(keyOf({ ...OF_RFC_9449 }, 'ES256')).toBe(first);
  const { kty, x, y, crv } = OF_RFC_9449;
  const same = keyOf({ y, crv, x, kty, use: 'enc', kid: 'any', ext: false, key_ops: [] }, 'ES256');
  expect(same?.thumbprint).toBe(first?.thumbprint);
});

test('a header longer than that of the longest key is read anew each time, so that it takes no memory', async () => {
  const { jwk } = await ProofSigner.create('PS256', 4096);
  const longest = keyOf(jwk, 'PS256');
  expect([longest?.thumbprint, keyOf({ ...jwk }, 'PS256') === longest]).toEqual([expect.any(String), true]);
  const padded = () => keyOf({ ...OF_RFC_9449, kid: 'x'.repeat(1000) }, 'ES256');
  expect(padded()?.thumbprint).toBe(thumbprintOf(OF_RFC_9449, 'ES256'));
  expect(padded()).not.toBe(padded());
});

test('each algorithm takes a key of its own kind, and no other', async () => {
  const made = await Promise.all(
    PROOF_ALGORITHMS.map(async (algorithm) => [algorithm, await ProofSigner.create(algorithm)] as const),
  );
  for (const [algorithm, { jwk, thumbprint }] of made) {
    for (const asked of PROOF_ALGORITHMS) {
      const isRsa = algorithm.endsWith('S256') && asked.endsWith('S256') && jwk.kty === 'RSA' && !asked.startsWith('E');
      expect([asked, thumbprintOf(jwk, asked)]).toEqual([asked, asked === algorithm || isRsa ? thumbprint : undefined]);
    }
    for (const asked of ['none', 'HS256', 'ES512', 'RS512', 'constructor', '__proto__', '']) {
      expect(keyOf(jwk, asked)).toBeUndefined();
    }
  }
});

test.each([
  ['ES256', 'P-256', 64],
  ['ES384', 'P-384', 96],
] as const)(
  'signatures of %s are right exactly if Node says so, whatever their two numbers are',
  (alg, curve, length) => {
    const hash = `sha${alg.slice(2)}`;
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: curve });
    const key = keyOf(publicKey.export({ format: 'jwk' }), alg);
    const node = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
    const half = length / 2;
    const made: Buffer[] = [];
    const isShort = (start: number) => made.some((signature) => signature[start] === 0);
    while (!isShort(0) || !isShort(half)) {
      const signature = sign(hash, Buffer.from(`${made.length}`), { ...node, key: privateKey });
      expect(key?.hasSigned(`${made.length}`, signature)).toBe(true);
      made.push(signature);
    }
    const [first = Buffer.of()] = made;
    const [r, s] = [first.subarray(0, half), first.subarray(half)];
    const zero = Buffer.alloc(half);
    const highest = Buffer.alloc(half, 0xff);
    const wrong = [[zero, zero], [zero, s], [r, zero], [highest, s], [r, highest], [s, r], [r], [], [zero, r, s]];
    const bent = Array.from({ length: 200 }, () => {
      const copy = Buffer.from(first);
      const place = randomInt(length);
      copy.writeUInt8(copy.readUInt8(place) ^ (1 << randomInt(8)), place);
      return copy;
    });
    for (const signature of [...wrong.map((parts) => Buffer.concat(parts)), ...bent]) {
      expect(verify(hash, Buffer.from('0'), node, signature)).toBe(false);
      expect(key?.hasSigned('0', signature)).toBe(false);
    }
  },
);

const ec = (changes: object): [unknown, string] => [{ ...OF_RFC_9449, ...changes }, 'ES256'];
const rsa = (changes: object): [unknown, string] => [{ ...OF_RFC_7638, ...changes }, 'RS256'];
const okp = (changes: object): [unknown, string] => [{ ...OF_RFC_8037, ...changes }, 'EdDSA'];
const fresh = (type: 'ed448' | 'x25519'): JWK =>
  generateKeyPairSync(type as 'x25519').publicKey.export({ format: 'jwk' });

test.each<[what: string, key: [unknown, string]]>([
  ['no value', [undefined, 'ES256']],
  ['null', [null, 'ES256']],
  ['a text', [JSON.stringify(OF_RFC_9449), 'ES256']],
  ['a list', [[OF_RFC_9449], 'ES256']],
  ['an empty object', [{}, 'ES256']],
  ...['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'].map((member): [string, [unknown, string]] => [
    `a private member, ${member}`,
    ec({ [member]: 'AQ' }),
  ]),
  ['a private member without a value', ec({ d: null })],
  ['a symmetric key', [{ kty: 'oct', k: 'c2VjcmV0' }, 'ES256']],
  ['no kty', ec({ kty: undefined })],
  ['kty in small letters', ec({ kty: 'ec' })],
  ['no crv', ec({ crv: undefined })],
  ['another crv', ec({ crv: 'P-384' })],
  ['no x', ec({ x: undefined })],
  ['no y', ec({ y: undefined })],
  ['an empty x', ec({ x: '' })],
  ['x as a number', ec({ x: 1 })],
  ['x too short', ec({ x: 'AQAB' })],
  ['x with a zero byte in front', ec({ x: `AA${OF_RFC_9449.x}` })],
  ['x with padding', ec({ x: `${OF_RFC_9449.x}=` })],
  ['x with a space', ec({ x: `${OF_RFC_9449.x} ` })],
  ['x with a last character that has more bits', ec({ x: `${OF_RFC_9449.x.slice(0, -1)}t` })],
  ['a point that is not on the curve', ec({ y: OF_RFC_9449.x })],
  ['the point at infinity', ec({ x: 'A'.repeat(43), y: 'A'.repeat(43) })],
  ['no n', rsa({ n: undefined })],
  ['no e', rsa({ e: undefined })],
  ['an exponent of 40 bits', rsa({ e: 'AQAAAAE' })],
  ['an exponent as long as the modulus', rsa({ e: OF_RFC_7638.n })],
  ['n with a plus sign', rsa({ n: OF_RFC_7638.n.replaceAll('-', '+') })],
  ['Ed448', [fresh('ed448'), 'EdDSA']],
  ['X25519', [fresh('x25519'), 'EdDSA']],
  ['an x of Ed25519 that is too long', okp({ x: 'A'.repeat(44) })],
  ['an empty x of Ed25519', okp({ x: '' })],
])('%s is no public key', async (_what, [jwk, algorithm]) => {
  expect(keyOf(jwk, algorithm)).toBeUndefined();
});
