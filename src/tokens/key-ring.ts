import { createHash, createHmac, createPublicKey, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
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
   * A secret for another purpose than signatures, always the same for the same key and purpose, from which nothing can
   * be learned about the key (HKDF, RFC 5869).
   */
  deriveSecret(purpose: string): KeyObject {
    return derive(this.signing.key, purpose);
  }

  /**
   * What `deriveSecret` gave while older secrets signed. An older key pair signed with a private key that is not here.
   */
  deriveOlderSecrets(purpose: string): KeyObject[] {
    const { signing } = this;
    const older = [...this.#verifying.values()].filter(({ id, key }) => key.type === 'secret' && id !== signing.id);
    return older.map(({ key }) => derive(key, purpose));
  }

  /**
   * The key of hashes in counters that servers share. While a key is replaced server by server, all of them know the
   * old and the new one, whichever signs: it comes from the same one of them on each server. Of key pairs they share
   * the public keys alone: then it is no secret, and hides what is counted only from those who do not look for it.
   */
  deriveCounterKey(purpose: string): KeyObject {
    const all = [...this.#verifying.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
    if (all.length === 1) return this.deriveSecret(purpose);
    const shared = all.find(({ key }) => key.type === 'secret') ?? all[0];
    return derive(shared?.key ?? this.signing.key, purpose);
  }
}

function derive(key: KeyObject, purpose: string): KeyObject {
  const material = materialOf(key);
  return createSecretKey(Buffer.from(hkdfSync('sha256', material, '', `jwt-allauth ${purpose}`, 32)));
}

function materialOf(key: KeyObject): Buffer {
  if (key.type === 'secret') return key.export();
  if (key.type === 'private') return Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url');
  return key.export({ format: 'der', type: 'spki' });
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
