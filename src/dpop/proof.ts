/** A verified DPoP proof: the client has the private key of its public key (RFC 9449 §4). */
export interface Proof {
  /** The thumbprint of the public key (RFC 7638 §3, SHA-256), for `cnf.jkt`. */
  readonly thumbprint: string;
  /** A hash of key and `jti`, in base64url: the same for each copy of the proof, and for no other proof. */
  readonly id: string;
  /** Until when servers accept the proof, in milliseconds since the epoch. A copy has the same value. */
  readonly expiresAt: number;
  /** The `ath`: the hash of the access token for which it was made. */
  readonly accessTokenHash?: unknown;
}

/** How much longer than it is accepted a proof is remembered, because the clocks of servers differ. */
export const MAX_SKEW_MS = 60_000;

/** How many bits of a stamp come from the hash of the proof. The others are its `expiresAt`. */
const HASH_BITS = 21n;

/**
 * The stamp of a proof: a bigint as a decimal text, for the row of a session. Stamps are in the order of `expiresAt`.
 * Two proofs with the same `expiresAt` have the same stamp by accident once in two million pairs; the second proof is
 * refused then, and a new one is accepted.
 */
export function stampOf({ id, expiresAt }: Pick<Proof, 'id' | 'expiresAt'>): string {
  const hash = BigInt(Buffer.from(id, 'base64url').readUIntBE(0, 3)) >> (24n - HASH_BITS);
  return String((BigInt(expiresAt) << HASH_BITS) | hash);
}

/** The stamp below which a proof has expired before `instant`, in milliseconds since the epoch. */
export function lowestStampAt(instant: number): string {
  return String(BigInt(instant) << HASH_BITS);
}
