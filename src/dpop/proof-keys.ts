import { constants, createHash, createPublicKey, type JsonWebKeyInput, type KeyObject, verify } from 'node:crypto';
import QuickLRU from 'quick-lru';

/** A JSON Web Key (RFC 7517 §4). */
type Jwk = JsonWebKeyInput['key'];

/** How signatures of an algorithm are verified (RFC 7518 §3, RFC 8037 §3.1). */
interface Scheme {
  readonly kty: 'EC' | 'OKP' | 'RSA';
  readonly crv?: string;
  /** Null: the algorithm has its own hash. */
  readonly hash: string | null;
  /** The length of an ECDSA signature, in bytes. */
  readonly signatureBytes?: number;
  readonly padding?: object;
}

const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };

const SCHEMES: Readonly<Record<string, Scheme>> = {
  ES256: { kty: 'EC', crv: 'P-256', hash: 'sha256', signatureBytes: 64 },
  ES384: { kty: 'EC', crv: 'P-384', hash: 'sha384', signatureBytes: 96 },
  EdDSA: { kty: 'OKP', crv: 'Ed25519', hash: null },
  RS256: { kty: 'RSA', hash: 'sha256' },
  PS256: { kty: 'RSA', hash: 'sha256', padding: PSS },
};

/** The algorithms of proofs. All are asymmetric. */
export const PROOF_ALGORITHMS: readonly string[] = Object.keys(SCHEMES);

/** Members that only private and symmetric keys have (RFC 7518 §6). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** Lengths of RSA keys, in bits. A longer key would make the verification slow. */
const RSA_BITS = { least: 2048, most: 4096 } as const;

/** A larger exponent would make the verification slow. */
const MAX_RSA_EXPONENT = 0xffff_ffffn;

/** The number of cached keys. The cache has up to twice as many for a while. Each key takes about 3 kB of memory. */
const CACHE_SIZE = 5000;

/**
 * Maximum length of a cached header, in characters. The header of an RSA key of 4096 bits has about 1,010. A header is
 * cached before the signature of its proof is verified, so strangers can fill the cache: with 10 MB of headers at most,
 * and 30 MB of keys.
 */
const MAX_CACHED_LENGTH = 1024;

/** The public key in the header of a proof. */
export interface PublicProofKey {
  /** The hash of its required members, in alphabetical order (RFC 7638 §3, SHA-256). */
  readonly thumbprint: string;
  /** Whether it has signed this text. */
  hasSigned(text: string, signature: Buffer): boolean;
}

/**
 * Reads the public keys of proofs with `node:crypto`. The library needs no other package for it, and a verification
 * with jose takes 1.6 times as long. All proofs of a client have the same header, so the headers used last are cached.
 */
export class ProofKeys {
  readonly #keys = new QuickLRU<string, PublicProofKey>({ maxSize: CACHE_SIZE });

  /** The key of an encoded header. Undefined if it is not the header of a proof (RFC 9449 §4.2). */
  of(header: string): PublicProofKey | undefined {
    const known = this.#keys.get(header);
    if (known) return known;
    const made = readKey(header);
    if (made && header.length <= MAX_CACHED_LENGTH)
      this.#keys.set(Buffer.from(header, 'latin1').toString('latin1'), made); // not a slice of the request
    return made;
  }
}

function readKey(text: string): PublicProofKey | undefined {
  try {
    const header: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    const { typ, alg, jwk, crit } = header as Readonly<Record<string, unknown>>;
    const scheme = typeof alg === 'string' && Object.hasOwn(SCHEMES, alg) ? SCHEMES[alg] : undefined;
    if (typ !== 'dpop+jwt' || crit !== undefined || !scheme || !isPublicJwk(jwk, scheme)) return undefined;
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const { crv, e, kty, n, x, y } = key.export({ format: 'jwk' });
    const required = { crv, e, kty, n, x, y };
    if (!isSame(jwk, required) || (scheme.kty === 'RSA' && !isUsableRsaKey(key))) return undefined;
    return {
      thumbprint: createHash('sha256').update(JSON.stringify(required)).digest('base64url'),
      hasSigned: (text, signature) => isSignature(scheme, key, Buffer.from(text), signature),
    };
  } catch {
    return undefined; // not JSON, or not a key
  }
}

/**
 * Verifies a signature. OpenSSL gets an ECDSA signature in its own form: with Node's option for the form of JOSE, which
 * needs an object around the key, a verification takes 1.7 times as long.
 */
function isSignature(
  { hash, signatureBytes, padding }: Scheme,
  key: KeyObject,
  text: Buffer,
  signature: Buffer,
): boolean {
  if (padding) return verify(hash, text, { key, ...padding }, signature);
  if (signatureBytes === undefined) return verify(hash, text, key, signature);
  return signature.length === signatureBytes && verify(hash, text, key, derOf(signature));
}

/** The two numbers of an ECDSA signature (RFC 7518 §3.4) as a DER sequence (RFC 3279 §2.2.3). */
function derOf(signature: Buffer): Buffer {
  const half = signature.length / 2;
  const numbers = [signature.subarray(0, half), signature.subarray(half)].map(derNumberOf);
  return Buffer.concat([Buffer.of(0x30, Buffer.concat(numbers).length), ...numbers]);
}

/**
 * A number without leading zeros; of one that is zero, the last byte remains. A first byte above 0x7f would make it
 * negative.
 */
function derNumberOf(bytes: Buffer): Buffer {
  const digits = bytes.subarray(bytes.findIndex((byte) => byte !== 0));
  const sign = (digits[0] ?? 0) > 0x7f ? [0] : [];
  return Buffer.concat([Buffer.of(0x02, sign.length + digits.length, ...sign), digits]);
}

function isPublicJwk(jwk: unknown, { kty, crv }: Scheme): jwk is Jwk {
  if (typeof jwk !== 'object' || jwk === null) return false;
  const given = jwk as Jwk;
  const isPrivate = PRIVATE_MEMBERS.some((member) => Object.hasOwn(given, member));
  return !isPrivate && given.kty === kty && (crv === undefined || given.crv === crv);
}

function isUsableRsaKey({ asymmetricKeyDetails: { modulusLength = 0, publicExponent = 0n } = {} }: KeyObject): boolean {
  return modulusLength >= RSA_BITS.least && modulusLength <= RSA_BITS.most && publicExponent <= MAX_RSA_EXPONENT;
}

/** Whether a JWK has its required members in the only form that RFC 7518 §6 allows, as OpenSSL writes them. */
function isSame(given: Jwk, required: Jwk): boolean {
  const members = Object.keys(required) as (keyof Jwk)[];
  return members.every((member) => given[member] === required[member]);
}
