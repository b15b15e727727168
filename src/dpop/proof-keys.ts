import { type CryptoKey, calculateJwkThumbprint, importJWK, type JWK } from 'jose';
import QuickLRU from 'quick-lru';

/** The algorithms of proofs, with the kinds of their keys (RFC 7518 §3.1, RFC 8037 §3.1). */
const KEYS: Readonly<Record<string, { readonly kty: string; readonly crv?: string }>> = {
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
  RS256: { kty: 'RSA' },
  PS256: { kty: 'RSA' },
};

/** The names of these algorithms. All are asymmetric. */
export const PROOF_ALGORITHMS: readonly string[] = Object.keys(KEYS);

/** The members of a JWK that make a public key, for each kind of key (RFC 7638 §3.2). */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
  RSA: ['e', 'kty', 'n'],
};

/** Maximum length of the exponent of an RSA key: 32 bits. A long one makes each verification slow. */
const MAX_EXPONENT_LENGTH = 6;

/** Maximum number of cached keys. */
const CACHE_SIZE = 5000;

/** The public key of a proof. */
export interface ProofKey {
  readonly key: CryptoKey;
  /** RFC 7638 §3, SHA-256. */
  readonly thumbprint: string;
}

/** Imports the public keys of proofs. Clients use their keys again, so the keys used last are cached. */
export class ProofKeys {
  readonly #keys = new QuickLRU<string, ProofKey>({ maxSize: CACHE_SIZE });

  /** The public key of a JWK (RFC 7517 §4). Undefined if it is no public key for this algorithm. */
  async of(jwk: unknown, algorithm: string): Promise<ProofKey | undefined> {
    const own = publicPart(jwk, algorithm);
    if (!own) return undefined;
    const name = JSON.stringify([algorithm, own]);
    const known = this.#keys.get(name);
    if (known) return known;
    const key = await importJWK(own, algorithm).catch(() => undefined);
    if (!key || key instanceof Uint8Array) return undefined;
    const made = { key, thumbprint: await calculateJwkThumbprint(own) };
    this.#keys.set(name, made);
    return made;
  }
}

/**
 * The required members only. Undefined for a private or symmetric key, for a key of another kind, and for members in
 * another form than RFC 7518 §6 asks for: the same key would have several thumbprints.
 */
function publicPart(jwk: unknown, algorithm: string): JWK | undefined {
  const kind = KEYS[algorithm];
  if (!kind || typeof jwk !== 'object' || jwk === null) return undefined;
  const given = jwk as Readonly<Record<string, unknown>>;
  const isPrivate = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'].some((member) => Object.hasOwn(given, member));
  if (isPrivate || given['kty'] !== kind.kty || (kind.crv && given['crv'] !== kind.crv)) return undefined;
  const members = (MEMBERS[kind.kty] ?? []).map((member) => [member, given[member]] as const);
  return members.every(([name, value]) => hasForm(name, value)) ? Object.fromEntries(members) : undefined;
}

function hasForm(member: string, value: unknown): boolean {
  if (typeof value !== 'string') return false;
  if (member === 'kty' || member === 'crv') return true;
  if (member === 'e' && value.length > MAX_EXPONENT_LENGTH) return false;
  return Buffer.from(value, 'base64url').toString('base64url') === value;
}
