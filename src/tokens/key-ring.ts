import { createHash, createHmac, createPublicKey, hkdfSync, type KeyObject } from 'node:crypto';
import { isHmac } from '../settings/algorithm.js';
import { type KeyMaterial, readPrivateKey, readSecret, readVerifyingKeys } from '../settings/key-material.js';
import type { Settings } from '../settings/settings.js';
import type { SigningKey, SigningKeys } from './signing-keys.js';

/** The members of a public key, RSA or EC (RFC 7518 §6). */
type PublicMembers = Partial<Record<'kty' | 'crv' | 'x' | 'y' | 'n' | 'e', string>>;

/** A public key as a resource server reads it (RFC 7517 §4). */
export interface PublicJwk extends PublicMembers {
  readonly kid: string;
  readonly use: 'sig';
  readonly alg: string;
}

/** The keys that an app's settings give it, each made once. */
export class KeyRing implements SigningKeys {
  readonly signing: SigningKey;
  /** By `kid`. Each is bound to its algorithm, so that no token can choose one. */
  readonly #verifying = new Map<string, SigningKey>();

  /** @throws SettingsError for settings that were never resolved and have keys that cannot be used */
  constructor({ algorithm, secretKey, privateKey = '', verifyingKeys }: Settings) {
    const signing = isHmac(algorithm)
      ? readSecret(secretKey, algorithm, 'secretKey')
      : readPrivateKey(privateKey, algorithm, 'privateKey');
    const older = verifyingKeys === undefined ? [] : readVerifyingKeys(verifyingKeys, algorithm, 'verifyingKeys');
    const verifying = toVerifying(signing);
    this.signing = { ...signing, id: verifying.id };
    for (const key of [verifying, ...older.map(toVerifying)]) {
      // The key that signs may stand among the older ones, as it does while a rotation is prepared.
      if (!this.#verifying.has(key.id)) this.#verifying.set(key.id, key);
    }
  }

  find(id: string): SigningKey | undefined {
    return this.#verifying.get(id);
  }

  /** The public keys, the one of the key that signs first. Secrets are no public keys. */
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
   * A key of 32 bytes for ENCRYPTION_KEYS, where none are set in development: always the same for the same signing key,
   * of which it tells nothing (HKDF, RFC 5869).
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

/** A keyed hash names the secret without giving a guesser more than any token's signature gives. */
function idOfSecret(secret: KeyObject): string {
  return createHmac('sha256', secret).update('jwt-allauth key id').digest('base64url').slice(0, 16);
}

/** The thumbprint of a public key: the hash of the members that it needs, in the order of their names (RFC 7638 §3). */
function thumbprint({ crv, e, kty, n, x, y }: PublicMembers): string {
  const members = kty === 'EC' ? { crv, kty, x, y } : { e, kty, n };
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url');
}
