import { createHash, createHmac, createPublicKey, hkdfSync, type KeyObject } from 'node:crypto';
import { isHmac } from '../settings/algorithm.js';
import { type KeyMaterial, readPrivateKey, readSecret, readVerifyingKeys } from '../settings/key-material.js';
import type { Settings } from '../settings/settings.js';
import type { SigningKey, SigningKeys } from './signing-keys.js';

/** The members of a public key, RSA or EC (RFC 7518 §6). */
type PublicMembers = Partial<Record<'kty' | 'crv' | 'x' | 'y' | 'n' | 'e', string>>;

/** A public key as a JSON Web Key (RFC 7517 §4). */
export interface PublicJwk extends PublicMembers {
  readonly kid: string;
  readonly use: 'sig';
  readonly alg: string;
}

/** The keys that sign and verify an app's tokens, read from its settings. */
export class KeyRing implements SigningKeys {
  readonly signing: SigningKey;
  /** The verification keys by `kid`. Each key is bound to its algorithm; the token's `alg` does not choose it. */
  readonly #verifying = new Map<string, SigningKey>();

  /** @throws SettingsError for unusable keys, in settings that `resolveSettings` has not checked */
  constructor({ algorithm, secretKey, privateKey = '', verifyingKeys }: Settings) {
    const signing = isHmac(algorithm)
      ? readSecret(secretKey, algorithm, 'secretKey')
      : readPrivateKey(privateKey, algorithm, 'privateKey');
    const older = verifyingKeys === undefined ? [] : readVerifyingKeys(verifyingKeys, algorithm, 'verifyingKeys');
    const verifying = toVerifying(signing);
    this.signing = { ...signing, id: verifying.id };
    for (const key of [verifying, ...older.map(toVerifying)]) {
      // While a key rotation is prepared, VERIFYING_KEYS may contain the signing key as well.
      if (!this.#verifying.has(key.id)) this.#verifying.set(key.id, key);
    }
  }

  find(id: string): SigningKey | undefined {
    return this.#verifying.get(id);
  }

  /** The public keys, that of the signing key first. Without shared secrets. */
  publicKeys(): PublicJwk[] {
    const keyPairs = [...this.#verifying.values()].filter(({ key }) => key.type === 'public');
    return keyPairs.map(({ id, algorithm, key }) => ({
      ...key.export({ format: 'jwk' }),
      kid: id,
      use: 'sig',
      alg: algorithm,
    }));
  }

  /**
   * Derives a key of 32 bytes from the signing key (HKDF, RFC 5869), for development without ENCRYPTION_KEYS. The same
   * signing key gives the same key.
   */
  deriveEncryptionKey(): Buffer {
    const material = materialOf(this.signing.key);
    return Buffer.from(hkdfSync('sha256', material, '', 'jwt-allauth encryption key', 32));
  }
}

function materialOf(key: KeyObject): Buffer {
  if (key.type === 'secret') return key.export();
  return Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url');
}

function toVerifying({ algorithm, key }: KeyMaterial): SigningKey {
  if (key.type === 'secret') return { id: idOfSecret(key), algorithm, key };
  const publicKey = key.type === 'private' ? createPublicKey(key as never) : key;
  return { id: thumbprint(publicKey.export({ format: 'jwk' })), algorithm, key: publicKey };
}

/** The `kid` of a secret: a keyed hash, which reveals no more about the secret than the signature of a token. */
function idOfSecret(secret: KeyObject): string {
  return createHmac('sha256', secret).update('jwt-allauth key id').digest('base64url').slice(0, 16);
}

/** The thumbprint of a public key: the hash of its required members, in alphabetical order (RFC 7638 §3). */
function thumbprint({ crv, e, kty, n, x, y }: PublicMembers): string {
  const members = kty === 'EC' ? { crv, kty, x, y } : { e, kty, n };
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url');
}
