/** A key pair of this client. The server binds a session to it (RFC 9449, DPoP). */
export interface ProofKey {
  /** The JWS algorithm: `ES256`, `ES384`, `EdDSA`, `RS256` or `PS256`. */
  readonly alg: string;
  /** The public key as a JWK. For ES256: `kty`, `crv`, `x` and `y`. It must not contain the private key. */
  readonly publicJwk: Readonly<Record<string, string>>;
  /** Signs these bytes. The form of the signature is that of JWS: for ES256 r and s, 32 bytes each, and not DER. */
  sign(data: Uint8Array): Promise<Uint8Array>;
}

/**
 * Which key it is: `current` is the key of the session, `next` is for the next sign-in. `next` becomes `current` when
 * the sign-in has succeeded.
 */
export type KeySlot = 'current' | 'next';

/**
 * Where an app keeps the keys of one client: the keystore of a phone, for example. Its methods are called one after the
 * other. If one fails, a sign-in goes on without a key, and a refresh of a bound session fails with `network_error`.
 *
 * @typeParam Key the keys of this place, if they have more members
 */
export interface KeyPlace<Key extends ProofKey = ProofKey> {
  /** Creates a key pair for `next`, which is empty. It must not replace that of `current`. */
  create(): Promise<Key>;
  /** Returns the key that was stored last in this slot, or undefined if the slot is empty. */
  load(slot: KeySlot): Promise<Key | undefined>;
  /** Keeps a key that `create` or `load` has returned, in place of the key in this slot. It may be in both slots. */
  store(slot: KeySlot, key: Key): Promise<void>;
  /** Empties this slot. The same key may be in the other slot, and stays there. */
  remove(slot: KeySlot): Promise<void>;
}
