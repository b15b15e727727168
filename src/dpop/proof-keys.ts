import { createHash, createPublicKey, type JsonWebKeyInput, type KeyObject } from 'node:crypto';
import QuickLRU from 'quick-lru';
import { PSS } from '../tokens/json-web-signature.js';
import { isKeyPairSignature, type SignatureScheme } from '../tokens/key-pair-signature.js';

/** A JSON Web Key (RFC 7517 §4). */
type Jwk = JsonWebKeyInput['key'];

/** An algorithm, and the keys that it needs. */
interface Scheme extends SignatureScheme {
  readonly kty: 'EC' | 'OKP' | 'RSA';
  readonly crv?: string;
}

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
      hasSigned: (text, signature) => isKeyPairSignature(signature, Buffer.from(text), key, scheme),
    };
  } catch {
    return undefined; // not JSON, or not a key
  }
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
