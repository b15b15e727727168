import { createPublicKey, generateKeyPairSync, sign as signWith } from 'node:crypto';
import { encode, type OpenedToken, sign, withClaims, withClaimsText, withHeader } from './forge.js';

/** What an attacker may have: a live token of the victim, and one of the other kind. */
export interface Loot {
  readonly live: OpenedToken;
  /** The access token of a refresh token, and the other way round. */
  readonly otherKind: OpenedToken;
  /** The same kind of token of another user. */
  readonly stranger: OpenedToken;
}

export type Forgery = readonly [what: string, forge: (loot: Loot) => string];

const UUID = '01234567-89ab-4cde-8f01-23456789abcd';
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const publicPem = rsa.publicKey.export({ type: 'spki', format: 'pem' }) as string;
const publicJwk = createPublicKey(publicPem).export({ format: 'jwk' });
const hmacJwk = { kty: 'oct', k: Buffer.from('a key of the forger').toString('base64url') };

/** Signed with the attacker's own private key. */
function signedByForger({ header, claims }: OpenedToken, changes: object, key = rsa.privateKey): string {
  const input = `${encode({ ...header, ...changes })}.${encode(claims)}`;
  return `${input}.${signWith('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

const unsigned = (alg: unknown) =>
  [`alg ${JSON.stringify(alg)}, unsigned`, ({ live }: Loot) => `${parts(live, { alg })}.`] as const;
const parts = ({ header, claims }: OpenedToken, changes: object) =>
  `${encode({ ...header, ...changes })}.${encode(claims)}`;
const header = (what: string, changes: object | ((loot: Loot) => object)): Forgery => [
  `${what}, correctly signed`,
  (loot) => withHeader(loot.live, typeof changes === 'function' ? changes(loot) : changes),
];
const claims = (what: string, changes: object | ((loot: Loot) => object)): Forgery => [
  `${what}, correctly signed`,
  (loot) => withClaims(loot.live, typeof changes === 'function' ? changes(loot) : changes),
];
const text = (what: string, change: (json: string) => string): Forgery => [
  `${what}, correctly signed`,
  ({ live }) => withClaimsText(live, change),
];
/** The signature with one character changed in some of its bits. */
const flipped = (signature: string, at: number, bits: number) =>
  signature
    .split('')
    .map((c, index) => (index === at ? ALPHABET[ALPHABET.indexOf(c) ^ bits] : c))
    .join('');
const signature = (what: string, change: (signature: string) => string): Forgery => [
  what,
  ({ live }) => `${parts(live, {})}.${change(live.signature)}`,
];

const ALGORITHMS: readonly Forgery[] = [
  ...['none', 'None', 'NONE', 'nOnE', '', null].map(unsigned),
  ['alg none that keeps the signature', ({ live }) => `${parts(live, { alg: 'none' })}.${live.signature}`],
  ['alg missing, unsigned', ({ live }) => `${parts(live, { alg: undefined })}.`],
  ["alg none, signed with the app's secret", ({ live }) => withHeader(live, { alg: 'none' })],
  [
    "HS512 with the app's secret",
    ({ live }) => sign({ ...live.header, alg: 'HS512' }, live.claims, undefined, 'sha512'),
  ],
  [
    "HS384 with the app's secret",
    ({ live }) => sign({ ...live.header, alg: 'HS384' }, live.claims, undefined, 'sha384'),
  ],
  ['HS512 in the header of an HS256 signature', ({ live }) => withHeader(live, { alg: 'HS512' })],
  ['alg in small letters', ({ live }) => withHeader(live, { alg: 'hs256' })],
  ['alg as an array', ({ live }) => withHeader(live, { alg: ['HS256'] })],
  ['RS256 in the header of an HS256 signature', ({ live }) => withHeader(live, { alg: 'RS256' })],
  ['RS256 by a key of the forger', ({ live }) => signedByForger(live, { alg: 'RS256' })],
  ['ES256 by a key of the forger', ({ live }) => signedByForger(live, { alg: 'ES256' }, ec.privateKey)],
  ['HS256 with a public key as its secret', ({ live }) => sign(live.header, live.claims, publicPem)],
  [
    'HS256 with another secret',
    ({ live }) => sign(live.header, live.claims, 'another secret of the forger, long enough'),
  ],
  ['HS256 with an empty secret', ({ live }) => sign(live.header, live.claims, '')],
  ['HS256 with the kid as its secret', ({ live }) => sign(live.header, live.claims, String(live.header.kid))],
  ['RS256 with the key in jwk', ({ live }) => signedByForger(live, { alg: 'RS256', jwk: publicJwk })],
  [
    'HS256 with the key in jwk',
    ({ live }) => sign({ ...live.header, jwk: hmacJwk }, live.claims, Buffer.from(hmacJwk.k, 'base64url')),
  ],
  ['RS256 with the key at jku', ({ live }) => signedByForger(live, { alg: 'RS256', jku: 'http://127.0.0.1:9/jwks' })],
];

const HEADERS: readonly Forgery[] = [
  header('kid missing', { kid: undefined }),
  header('kid unknown', { kid: 'unknown' }),
  header('kid empty', { kid: '' }),
  header('kid null', { kid: null }),
  header('kid as an array', ({ live }) => ({ kid: [live.header.kid] })),
  header('kid a path', { kid: '../../../../dev/null' }),
  header('kid SQL', { kid: "' or 1=1 --" }),
  header('kid of Object.prototype', { kid: 'constructor' }),
  header('jwk', { jwk: hmacJwk }),
  header('jku', { jku: 'https://forger.example.com/jwks.json' }),
  header('x5u', { x5u: 'https://forger.example.com/x5u' }),
  header('x5c', { x5c: ['MIIB'] }),
  header('x5t', { x5t: 'abc' }),
  header('crit', { crit: ['exp'], exp: 1 }),
  header('crit empty', { crit: [] }),
  header('b64', { b64: false, crit: ['b64'] }),
  header('cty', { cty: 'JWT' }),
  header('zip', { zip: 'DEF' }),
  header('enc', { enc: 'A256GCM' }),
  header('typ JWT', { typ: 'JWT' }),
  header('typ missing', { typ: undefined }),
  header('typ null', { typ: null }),
  header('typ in capitals', ({ live }) => ({ typ: String(live.header.typ).toUpperCase() })),
  header('typ as a media type', ({ live }) => ({ typ: `application/${live.header.typ}` })),
  header('typ of the other kind', ({ otherKind }) => ({ typ: otherKind.header.typ })),
  ['a header that is not JSON', ({ live }) => sign('{"alg":"HS256"', live.claims)],
  ['a header that is an array', ({ live }) => sign([live.header], live.claims)],
  ['a header that is null', ({ live }) => sign('null', live.claims)],
  ['an empty header', ({ live }) => sign('{}', live.claims)],
  ['a header that says alg twice', ({ live }) => sign(twice(live.header, 'alg', 'none'), live.claims)],
  ['a header that says typ twice', ({ live }) => sign(twice(live.header, 'typ', 'JWT'), live.claims)],
];

const CLAIMS: readonly Forgery[] = [
  claims('amr as a string', { amr: 'pwd' }),
  claims('amr with a number in it', { amr: ['pwd', 1] }),
  claims('amr null', { amr: null }),
  claims('auth_time as a string', { auth_time: '1' }),
  claims('auth_time as a fraction', { auth_time: 1.5 }),
  claims('auth_time null', { auth_time: null }),
  claims('token_type of the other kind', ({ otherKind }) => ({ token_type: otherKind.claims.token_type })),
  claims('token_type missing', { token_type: undefined }),
  claims('token_type as an array', ({ live }) => ({ token_type: [live.claims.token_type] })),
  claims('exp missing', { exp: undefined }),
  claims('exp null', { exp: null }),
  claims('exp a string', ({ live }) => ({ exp: String(live.claims.exp) })),
  claims('exp negative', { exp: -1 }),
  claims('exp zero', { exp: 0 }),
  claims('exp a fraction', ({ live }) => ({ exp: live.claims.exp + 0.5 })),
  claims('exp exactly now', ({ live }) => ({ exp: live.claims.iat })),
  claims('exp a second ago, with another jti', ({ live }) => ({ exp: live.claims.iat - 1, jti: UUID })),
  text('exp NaN', (json) => json.replace(/"exp":\d+/, '"exp":NaN')),
  text('exp Infinity', (json) => json.replace(/"exp":\d+/, '"exp":Infinity')),
  text('exp beyond every number', (json) => json.replace(/"exp":\d+/, '"exp":1e999')),
  claims('nbf in the future', ({ live }) => ({ nbf: live.claims.exp + 1_000_000 })),
  claims('iat missing', { iat: undefined }),
  claims('iat a string', ({ live }) => ({ iat: String(live.claims.iat) })),
  claims('session_iat missing', { session_iat: undefined }),
  claims('session_iat a string', ({ live }) => ({ session_iat: String(live.claims.session_iat) })),
  claims('sub missing', { sub: undefined }),
  claims('sub empty', { sub: '' }),
  claims('sub null', { sub: null }),
  claims('sub a number', { sub: 1 }),
  claims('sub an array', ({ live }) => ({ sub: [live.claims.sub] })),
  claims('sub an object', ({ live }) => ({ sub: { $ne: live.claims.sub } })),
  claims('sub of an app with integer keys', { sub: '42' }),
  claims('sub not a uuid', { sub: "' or 1=1 --" }),
  claims('sub a uuid and more', ({ live }) => ({ sub: `${live.claims.sub}\u0000` })),
  claims('jti missing', { jti: undefined }),
  claims('jti not a uuid', { jti: 'not-a-uuid' }),
  claims('jti a number', { jti: 7 }),
  claims('session missing', { session: undefined }),
  claims('session not a uuid', { session: 'x' }),
  claims('session an array', ({ live }) => ({ session: [live.claims.session] })),
  claims('role missing', { role: undefined }),
  claims('role a string', { role: '1000' }),
  claims('role a fraction', { role: 0.5 }),
  claims('email_verified missing', { email_verified: undefined }),
  claims('email_verified a string', { email_verified: 'true' }),
  claims('iss, which the app does not set', { iss: 'https://other.example.com' }),
  claims('iss an array', { iss: ['https://other.example.com'] }),
  claims('aud, which the app does not set', { aud: 'other' }),
  claims('aud an array', { aud: ['other'] }),
  ['an array of claims, correctly signed', ({ live }) => sign(live.header, [live.claims])],
  ['claims as a JSON string, correctly signed', ({ live }) => sign(live.header, '"claims"')],
  [
    'claims in a string, correctly signed',
    ({ live }) => sign(live.header, JSON.stringify(JSON.stringify(live.claims))),
  ],
  ['claims null, correctly signed', ({ live }) => sign(live.header, 'null')],
  ['no claims, correctly signed', ({ live }) => sign(live.header, '{}')],
  [
    'claims in __proto__, correctly signed',
    ({ live }) => sign(live.header, `{"__proto__":${JSON.stringify(live.claims)}}`),
  ],
  ['claims that are not JSON, correctly signed', ({ live }) => sign(live.header, 'claims')],
  [
    'claims that say token_type twice',
    ({ live, otherKind }) => sign(live.header, twice(live.claims, 'token_type', otherKind.claims.token_type)),
  ],
];

const SIGNATURES: readonly Forgery[] = [
  signature('a signature without its last character', (s) => s.slice(0, -1)),
  signature('half a signature', (s) => s.slice(0, s.length / 2)),
  signature('an empty signature', () => ''),
  signature('a signature with a flipped bit at its start', (s) => flipped(s, 0, 1)),
  signature('a signature with a flipped bit in its middle', (s) => flipped(s, 20, 8)),
  signature('a signature whose last character differs in bits that no byte has', (s) => flipped(s, s.length - 1, 1)),
  signature('a signature with a character more', (s) => `${s}A`),
  signature('a signature with padding', (s) => `${s}=`),
  signature('a signature twice', (s) => s + s),
  signature('a signature of another alphabet', (s) => `+/${s.slice(2)}`),
  ['the signature of another token', ({ live, otherKind }) => `${parts(live, {})}.${otherKind.signature}`],
  [
    'claims of another user under the same signature',
    ({ live, stranger }) => `${parts({ ...live, claims: stranger.claims }, {})}.${live.signature}`,
  ],
  [
    'a higher role under the same signature',
    ({ live }) => `${parts({ ...live, claims: { ...live.claims, role: 1000 } }, {})}.${live.signature}`,
  ],
];

const SHAPES: readonly Forgery[] = [
  ['the token of the other kind', ({ otherKind }) => otherKind.token],
  ['a fourth segment', ({ live }) => `${live.token}.AAAA`],
  ['an empty fourth segment', ({ live }) => `${live.token}.`],
  [
    'five segments, like a JWE',
    ({ live }) => `${encode({ alg: 'dir', enc: 'A256GCM' })}..AAAA.${encode(live.claims)}.AAAA`,
  ],
  ['an empty segment in front', ({ live }) => `.${live.token}`],
  ['no signature segment', ({ live }) => parts(live, {})],
  ['one segment', ({ live }) => encode(live.claims)],
  ['two dots', () => '..'],
  ['a word', () => 'token'],
  ['a space within', ({ live }) => live.token.replace('.', '. ')],
  ['the token twice', ({ live }) => `${live.token},${live.token}`],
  ['the token in quotes', ({ live }) => `"${live.token}"`],
  ['the token percent-encoded', ({ live }) => live.token.replaceAll('.', '%2E')],
  [
    'a JWS in JSON',
    ({ live }) =>
      JSON.stringify({ protected: encode(live.header), payload: encode(live.claims), signature: live.signature }),
  ],
  ['a nested token', ({ live }) => sign(live.header, live.token)],
];

/** Every endpoint that takes a token refuses each of these; all of them fit into a header. */
export const FORGERIES: readonly Forgery[] = [...ALGORITHMS, ...HEADERS, ...CLAIMS, ...SIGNATURES, ...SHAPES];

/** Those that only a body can contain. */
export const BODY_FORGERIES: readonly Forgery[] = [
  ['a space in front', ({ live }) => ` ${live.token}`],
  ['a space at the end', ({ live }) => `${live.token} `],
  ['a newline at the end', ({ live }) => `${live.token}\n`],
  ['a newline within', ({ live }) => live.token.replace('.', '.\n')],
  ['a null character at the end', ({ live }) => `${live.token}\u0000`],
  ['Unicode that looks alike', ({ live }) => live.token.replace('.', '\u2024')],
  ['an emoji', () => '🔑.🔑.🔑'],
  ['half of a surrogate pair', ({ live }) => `${live.token}\ud83d`],
  [
    '90 kB of claims, correctly signed with another secret',
    ({ live }) => sign(live.header, { ...live.claims, more: 'x'.repeat(66_000) }, 'no'),
  ],
  ['90 kB of dots', () => '.'.repeat(90_000)],
  ['90 kB of one segment', () => 'A'.repeat(90_000)],
  ['a header of 90 kB', ({ live }) => sign({ ...live.header, kid: 'k'.repeat(66_000) }, live.claims)],
  ['a deeply nested header', ({ live }) => sign(`${'['.repeat(60_000)}`, live.claims)],
];

/** A JSON object that contains one name twice, with the given value last. */
function twice(object: object, name: string, last: unknown): string {
  return `${JSON.stringify(object).slice(0, -1)},${JSON.stringify(name)}:${JSON.stringify(last)}}`;
}
