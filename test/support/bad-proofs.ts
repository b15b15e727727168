import { createHmac, createPublicKey, generateKeyPairSync, KeyObject, sign as signWith } from 'node:crypto';
import type { JWK } from 'jose';
import type { ProofRefusal } from '../../src/error.js';
import type { ProofSigner } from './bound-client.js';
import { claimsOf, encode, headerOf, longProof, type ProofScene, signed } from './proof-scene.js';

/** A proof that must be refused. `nonce`: with use_dpop_nonce, else with this reason. */
export type BadProof = readonly [
  what: string,
  expected: ProofRefusal | 'nonce',
  make: (scene: ProofScene) => string | Promise<string>,
];

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const secp = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
const publicJwk = (key: KeyObject): object => key.export({ format: 'jwk' });
const privateJwk = ({ privateKey }: ProofSigner) => KeyObject.from(privateKey).export({ format: 'jwk' }) as JWK;

/** A proof by any key of node:crypto, with the header that this key needs. */
function signedBy(scene: ProofScene, pair: { publicKey: KeyObject; privateKey: KeyObject }, alg: string, jwk = {}) {
  const header = headerOf(scene, { alg, jwk: { ...publicJwk(pair.publicKey), ...jwk } });
  const input = `${encode(header)}.${encode(claimsOf(scene))}`;
  const signature = signWith(alg === 'ES384' ? 'sha384' : 'sha256', Buffer.from(input), {
    key: pair.privateKey,
    dsaEncoding: 'ieee-p1363',
  });
  return `${input}.${signature.toString('base64url')}`;
}

const header = (what: string, changes: object | ((scene: ProofScene) => object)): BadProof => [
  what,
  'proof-malformed',
  (scene) => signed(scene, headerOf(scene, typeof changes === 'function' ? changes(scene) : changes), claimsOf(scene)),
];
const claims = (what: string, expected: BadProof[1], changes: object | ((scene: ProofScene) => object)): BadProof => [
  what,
  expected,
  (scene) => signed(scene, headerOf(scene), claimsOf(scene, typeof changes === 'function' ? changes(scene) : changes)),
];
const url = (what: string, change: (url: URL, scene: ProofScene) => unknown): BadProof =>
  claims(what, 'proof-for-another-url', (scene) => ({ htu: change(new URL(scene.url), scene) }));
const text = (what: string, change: (right: string) => string, expected: BadProof[1] = 'proof-malformed'): BadProof => [
  what,
  expected,
  (scene) => change(signed(scene, headerOf(scene), claimsOf(scene))),
];
const hmac = (alg: string, secretOf: (key: KeyObject) => string | Buffer) => (scene: ProofScene) => {
  const input = `${encode(headerOf(scene, { alg }))}.${encode(claimsOf(scene))}`;
  const secret = secretOf(createPublicKey({ key: scene.key.jwk, format: 'jwk' }));
  const hash = `sha${alg.slice(2)}`;
  return `${input}.${createHmac(hash, secret).update(input).digest('base64url')}`;
};
const withSignature = (proof: string, change: (signature: Buffer) => Buffer | string) => {
  const [first, second, third = ''] = proof.split('.');
  const changed = change(Buffer.from(third, 'base64url'));
  return `${first}.${second}.${typeof changed === 'string' ? changed : changed.toString('base64url')}`;
};

/** The header says that the claims are not encoded (RFC 7797). Their dots are written as JSON escapes. */
function unencoded(scene: ProofScene): string {
  const head = encode(headerOf(scene, { b64: false, crit: ['b64'] }));
  const payload = JSON.stringify(claimsOf(scene)).replaceAll('.', '\\u002e');
  const key = { key: KeyObject.from(scene.key.privateKey), dsaEncoding: 'ieee-p1363' } as const;
  return `${head}.${payload}.${signWith('sha256', Buffer.from(`${head}.${payload}`), key).toString('base64url')}`;
}

const ALGORITHMS: readonly BadProof[] = [
  ...['none', 'None', 'NONE', '', null, ['ES256'], 'constructor', '__proto__'].map(
    (alg): BadProof => [
      `alg ${JSON.stringify(alg)}, unsigned`,
      'proof-malformed',
      (scene) => `${encode(headerOf(scene, { alg }))}.${encode(claimsOf(scene))}.`,
    ],
  ),
  header('alg none with a signature', { alg: 'none' }),
  header('no alg', { alg: undefined }),
  ['HS256 with the public key (PEM) as secret', 'proof-malformed', hmac('HS256', pemOf)],
  ['HS512 with the public key (PEM) as secret', 'proof-malformed', hmac('HS512', pemOf)],
  ['HS256 with the public key (DER) as secret', 'proof-malformed', hmac('HS256', derOf)],
  [
    'HS256 with a symmetric jwk',
    'proof-malformed',
    (scene) => {
      const k = Buffer.from('a secret that the proof brings along');
      const jwk = { kty: 'oct', k: k.toString('base64url') };
      const input = `${encode(headerOf(scene, { alg: 'HS256', jwk }))}.${encode(claimsOf(scene))}`;
      return `${input}.${createHmac('sha256', k).update(input).digest('base64url')}`;
    },
  ],
  header('a symmetric jwk for ES256', { jwk: { kty: 'oct', k: 'c2VjcmV0' } }),
  header('RS256 in the header of an ES256 signature', { alg: 'RS256' }),
  header('ES384 in the header of an ES256 signature', { alg: 'ES384' }),
  header('EdDSA in the header of an ES256 signature', { alg: 'EdDSA' }),
  header('es256 in small letters', { alg: 'es256' }),
  ['RS512, which is not among the algorithms', 'proof-malformed', (scene) => signedBy(scene, rsa, 'RS512')],
  ['RS256 by an RSA key of 1024 bits', 'proof-malformed', (scene) => signedBy(scene, weak, 'RS256')],
  [
    'RS256 by an RSA key with an exponent of 2048 bits, which is slow',
    'proof-malformed',
    (scene) => signedBy(scene, rsa, 'RS256', { e: publicRsa().n }),
  ],
  ['ES256 by a key on P-384', 'proof-malformed', (scene) => signedBy(scene, p384, 'ES256')],
  ['ES256K by a key on secp256k1', 'proof-malformed', (scene) => signedBy(scene, secp, 'ES256K')],
];

function pemOf(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }) as string;
}

function derOf(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}

function publicRsa(): JWK {
  return rsa.publicKey.export({ format: 'jwk' }) as JWK;
}

const HEADERS: readonly BadProof[] = [
  header('no typ', { typ: undefined }),
  header('typ JWT', { typ: 'JWT' }),
  header('typ DPoP+JWT in capitals', { typ: 'DPoP+JWT' }),
  header('typ with its prefix application/', { typ: 'application/dpop+jwt' }),
  header('typ as a list', { typ: ['dpop+jwt'] }),
  header('crit with an unknown member', { crit: ['exp'], exp: 1 }),
  header('crit with a member that is missing', { crit: ['b64'] }),
  header('crit with b64, which is known', { crit: ['b64'], b64: true }),
  header('an empty crit', { crit: [] }),
  ['claims that are not encoded (b64)', 'proof-malformed', unencoded],
  header('no jwk', { jwk: undefined }),
  header('jwk null', { jwk: null }),
  header('jwk as a text of JSON', ({ key }) => ({ jwk: JSON.stringify(key.jwk) })),
  header('jwk as a list', ({ key }) => ({ jwk: [key.jwk] })),
  header('a jku in place of the jwk', { jwk: undefined, jku: 'https://keys.example/jwks' }),
  header('an x5c in place of the jwk', { jwk: undefined, x5c: ['MIIB'] }),
  header('a kid in place of the jwk', ({ key }) => ({ jwk: undefined, kid: key.thumbprint })),
  header('the private key as jwk', ({ key }) => ({ jwk: privateJwk(key) })),
  header('a jwk with an empty private member', ({ key }) => ({ jwk: { ...key.jwk, d: '' } })),
  header('a jwk without y', ({ key: { jwk } }) => ({ jwk: { kty: jwk.kty, crv: jwk.crv, x: jwk.x } })),
  header('a jwk with a number as x', ({ key }) => ({ jwk: { ...key.jwk, x: 1 } })),
  header('a jwk with a point that is not on the curve', ({ key }) => ({ jwk: { ...key.jwk, y: key.jwk.x } })),
  header('a jwk of another kind with the same members', ({ key }) => ({ jwk: { ...key.jwk, kty: 'OKP' } })),
  header('a jwk without kty', ({ key: { jwk } }) => ({ jwk: { crv: jwk.crv, x: jwk.x, y: jwk.y } })),
  header('a jwk that names another curve', ({ key }) => ({ jwk: { ...key.jwk, crv: 'P-384' } })),
  header('a jwk with the padding of base64', ({ key }) => ({ jwk: { ...key.jwk, x: `${key.jwk.x}=` } })),
  ['a header that is a list', 'proof-malformed', (scene) => signed(scene, [headerOf(scene)], claimsOf(scene))],
  ['a header that is no JSON', 'proof-malformed', (scene) => signed(scene, '{"typ":', claimsOf(scene))],
  [
    'two alg in the header, the second of them none',
    'proof-malformed',
    (scene) => signed(scene, JSON.stringify(headerOf(scene)).replace(/}$/, ',"alg":"none"}'), claimsOf(scene)),
  ],
];

const CLAIMS: readonly BadProof[] = [
  claims('no jti', 'proof-malformed', { jti: undefined }),
  claims('an empty jti', 'proof-malformed', { jti: '' }),
  claims('a number as jti', 'proof-malformed', { jti: 1 }),
  claims('a list as jti', 'proof-malformed', { jti: ['1'] }),
  claims('a jti of 257 characters', 'proof-malformed', { jti: 'j'.repeat(257) }),
  claims('no htm', 'proof-for-another-method', { htm: undefined }),
  claims('htm GET', 'proof-for-another-method', { htm: 'GET' }),
  claims('htm in small letters', 'proof-for-another-method', { htm: 'post' }),
  claims('htm as a list', 'proof-for-another-method', { htm: ['POST'] }),
  claims('no iat', 'proof-malformed', { iat: undefined }),
  claims('iat as a text', 'proof-malformed', ({ now }) => ({ iat: String(now) })),
  claims('iat with a fraction', 'proof-malformed', ({ now }) => ({ iat: now + 0.5 })),
  claims('iat null', 'proof-malformed', { iat: null }),
  claims('an iat too large for a whole number', 'proof-malformed', { iat: 1e300 }),
  claims('a negative iat', 'nonce', ({ now }) => ({ iat: -now })),
  claims('iat 0', 'nonce', { iat: 0 }),
  claims('an iat of 61 seconds ago', 'nonce', ({ now }) => ({ iat: now - 62 })),
  claims('an iat in 61 seconds', 'nonce', ({ now }) => ({ iat: now + 62 })),
  claims('an iat in milliseconds', 'proof-malformed', ({ now }) => ({ iat: now * 1000 })),
  claims('an iat in a million years', 'proof-malformed', { iat: Number.MAX_SAFE_INTEGER }),
  claims('a nonce of another app', 'nonce', ({ now, nonces }) => ({ iat: now - 3600, nonce: nonces.foreign })),
  claims('an expired nonce', 'nonce', ({ now, nonces }) => ({ iat: now - 3600, nonce: nonces.expired })),
  claims('an expired nonce with a right iat', 'nonce', ({ nonces }) => ({ nonce: nonces.expired })),
  claims('a nonce of zeros', 'nonce', ({ now }) => ({ iat: now - 3600, nonce: 'A'.repeat(30) })),
  claims('a list with a nonce', 'nonce', ({ now, nonces }) => ({ iat: now - 3600, nonce: [nonces.valid] })),
  claims('a nonce with padding', 'nonce', ({ now, nonces }) => ({ iat: now - 3600, nonce: `${nonces.valid}==` })),
  ...['[]', 'null', '1', '"text"', '', '{', '{"jti":1}{}'].map(
    (payload): BadProof => [
      `claims ${payload || 'that are empty'}`,
      'proof-malformed',
      (scene) => signed(scene, headerOf(scene), payload),
    ],
  ),
  ['a list of claims', 'proof-malformed', (scene) => signed(scene, headerOf(scene), [claimsOf(scene)])],
  [
    'two htm, the second of them another method',
    'proof-for-another-method',
    (scene) => signed(scene, headerOf(scene), JSON.stringify(claimsOf(scene)).replace(/}$/, ',"htm":"GET"}')),
  ],
  [
    'two htu, the second of them another URL',
    'proof-for-another-url',
    (scene) => signed(scene, headerOf(scene), JSON.stringify(claimsOf(scene)).replace(/}$/, ',"htu":"http://a.test"}')),
  ],
];

const URLS: readonly BadProof[] = [
  url('no htu', () => undefined),
  url('htu as a list', ({ href }) => [href]),
  url('an empty htu', () => ''),
  url('a relative htu', ({ pathname }) => pathname),
  url('an htu without a scheme', ({ host, pathname }) => `//${host}${pathname}`),
  url('another host', ({ pathname, port }) => `http://evil.example:${port}${pathname}`),
  url('a host that begins alike', ({ host, pathname }) => `http://${host}.evil.example${pathname}`),
  url('the host as a user of another one', ({ host, pathname }) => `http://${host}@evil.example${pathname}`),
  url('another port', ({ hostname, pathname }) => `http://${hostname}:1${pathname}`),
  url('no port', ({ hostname, pathname }) => `http://${hostname}${pathname}`),
  url('the scheme ftp', ({ host, pathname }) => `ftp://${host}${pathname}`),
  url('the scheme ws', ({ host, pathname }) => `ws://${host}${pathname}`),
  url('a blob', ({ href }) => `blob:${href}`),
  url('the endpoint /auth/logout', ({ origin }) => `${origin}/auth/logout`),
  url('another endpoint that takes proofs', ({ origin, pathname }) =>
    pathname === '/auth/login' ? `${origin}/auth/refresh` : `${origin}/auth/login`,
  ),
  url('a path that goes on', ({ href }) => `${href}/more`),
  url('a slash at the end', ({ href }) => `${href}/`),
  url('the root', ({ origin }) => origin),
  url('the path in capitals', ({ origin, pathname }) => origin + pathname.toUpperCase()),
  url('two slashes', ({ origin, pathname }) => `${origin}/${pathname}`),
  url('the path as a query', ({ origin, pathname }) => `${origin}/?${pathname}`),
  url('the path as a fragment', ({ origin, pathname }) => `${origin}/#${pathname}`),
  url('a percent sign in the path', ({ origin, pathname }) => origin + pathname.replace('/auth', '/%61uth')),
];

const TEXTS: readonly BadProof[] = [
  ['a text that is no proof', 'proof-malformed', () => 'proof'],
  ['two dots', 'proof-malformed', () => '..'],
  ['five parts', 'proof-malformed', () => 'a.b.c.d.e'],
  ['JSON serialisation', 'proof-malformed', () => '{"payload":"","signatures":[]}'],
  text('two proofs in one header', (right) => `${right}, ${right}`),
  text('a comma after the proof', (right) => `${right},`),
  text('the scheme DPoP before the proof', (right) => `DPoP ${right}`),
  text('no signature', (right) => withSignature(right, () => '')),
  text('no dot before the missing signature', (right) => right.split('.').slice(0, 2).join('.')),
  text('a signature with padding', (right) => `${right}==`),
  // An ES256 signature ends with A, Q, g or w. The character after it stands for the same bytes.
  text('a signature whose last character has more bits', (right) => {
    return right.slice(0, -1) + String.fromCharCode(right.charCodeAt(right.length - 1) + 1);
  }),
  text('a signature in base64 with a plus', (right) => withSignature(right, (bytes) => `+${bytes.toString('hex')}`)),
  text(
    'a trimmed signature',
    (right) => withSignature(right, (bytes) => bytes.subarray(0, 63)),
    'proof-wrong-signature',
  ),
  text(
    'a signature that goes on',
    (right) => withSignature(right, (bytes) => Buffer.concat([bytes, bytes])),
    'proof-wrong-signature',
  ),
  text('a signature of zeros', (right) => withSignature(right, () => Buffer.alloc(64)), 'proof-wrong-signature'),
  ['a signature in DER', 'proof-wrong-signature', (scene) => signed(scene, headerOf(scene), claimsOf(scene), 'der')],
  [
    'the signature of another proof',
    'proof-wrong-signature',
    (scene) => {
      const foreign = signed(scene, headerOf(scene), claimsOf(scene)).split('.')[2] ?? '';
      return withSignature(signed(scene, headerOf(scene), claimsOf(scene)), () => foreign);
    },
  ],
  [
    "the owner's public key and a signature by another key",
    'proof-wrong-signature',
    (scene) => signed({ key: scene.other }, headerOf(scene), claimsOf(scene)),
  ],
  [
    'claims that were changed after the signature',
    'proof-wrong-signature',
    (scene) => {
      const [head, , signature] = signed(scene, headerOf(scene), claimsOf(scene, { htm: 'GET' })).split('.');
      return `${head}.${encode(claimsOf(scene))}.${signature}`;
    },
  ],
  [
    'a header of 15,000 characters',
    'proof-malformed',
    (scene) => signed(scene, headerOf(scene, { more: 'm'.repeat(11_000) }), claimsOf(scene)),
  ],
  ['a proof of 4,097 characters', 'proof-malformed', (scene) => longProof(scene, 4097)],
];

/** Every proof by the key of the session, or by none, that must be refused at each endpoint. */
export const BAD_PROOFS: readonly BadProof[] = [...ALGORITHMS, ...HEADERS, ...CLAIMS, ...URLS, ...TEXTS];

/** Right proofs, but by a key of which the session knows nothing. */
export const FOREIGN_PROOFS: readonly BadProof[] = [
  [
    'a right proof by another key',
    'proof-of-another-key',
    ({ other, method, url: htu, now }) => other.proof(method, htu, now * 1000),
  ],
  [
    "another key with the owner's key id",
    'proof-of-another-key',
    ({ other, key, method, url: htu, now }) =>
      other.proof(method, htu, now * 1000, { header: { kid: key.thumbprint } }),
  ],
  [
    "another key whose jwk has the owner's key in members of its own",
    'proof-of-another-key',
    (scene) => {
      const jwk = { ...scene.other.jwk, kid: scene.key.thumbprint, jkt: scene.key.thumbprint, key: scene.key.jwk };
      return signed({ key: scene.other }, headerOf(scene, { jwk }), claimsOf(scene));
    },
  ],
  [
    "claims that assert the owner's key",
    'proof-of-another-key',
    (scene) => {
      const cnf = { jkt: scene.key.thumbprint };
      return signed({ key: scene.other }, headerOf(scene, { jwk: scene.other.jwk }), claimsOf(scene, { cnf }));
    },
  ],
  ['RS256 by another key', 'proof-of-another-key', (scene) => signedBy(scene, rsa, 'RS256')],
  ['ES384 by another key', 'proof-of-another-key', (scene) => signedBy(scene, p384, 'ES384')],
];
