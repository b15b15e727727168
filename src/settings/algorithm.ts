/** A signature algorithm for tokens (RFC 7518 §3.1). */
export type Algorithm = HmacAlgorithm | KeyPairAlgorithm;

/** Signs and verifies with one shared secret. */
export type HmacAlgorithm = 'HS256' | 'HS384' | 'HS512';

/** Signs with a private key and verifies with its public one. */
export type KeyPairAlgorithm = 'RS256' | 'RS384' | 'RS512' | 'PS256' | 'PS384' | 'PS512' | 'ES256' | 'ES384' | 'ES512';

/** Minimum length of a secret, in bytes: the output size of the hash (RFC 7518 §3.2). */
export const SECRET_BYTES: Readonly<Record<HmacAlgorithm, number>> = { HS256: 32, HS384: 48, HS512: 64 };

/** The curve of each algorithm, under its name in node:crypto. Null: the algorithm uses RSA (RFC 7518 §3.3, §3.5). */
export const CURVES: Readonly<Record<KeyPairAlgorithm, string | null>> = {
  RS256: null,
  RS384: null,
  RS512: null,
  PS256: null,
  PS384: null,
  PS512: null,
  ES256: 'prime256v1',
  ES384: 'secp384r1',
  ES512: 'secp521r1',
};

/** Minimum size of an RSA key, in bits (RFC 7518 §3.3). */
export const MIN_RSA_BITS = 2048;

/** The algorithms that ALGORITHM accepts. */
export const ALGORITHMS = [...Object.keys(SECRET_BYTES), ...Object.keys(CURVES)] as readonly Algorithm[];

/** Whether a value is the name of an accepted algorithm. */
export function isAlgorithm(value: unknown): value is Algorithm {
  return (ALGORITHMS as readonly unknown[]).includes(value);
}

/** Whether an algorithm uses a shared secret. */
export function isHmac(algorithm: Algorithm): algorithm is HmacAlgorithm {
  return Object.hasOwn(SECRET_BYTES, algorithm);
}
