import { generateKeyPairSync } from 'node:crypto';
import { type SigningKeys, TokenFactory } from '../../src/index.js';

/** A TokenFactory that signs with a key pair made at start, in place of the settings' secret. */
export function keyPairTokens(algorithm: 'RS256' | 'ES256') {
  const { privateKey, publicKey } =
    algorithm === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const shared = { id: 'bench', algorithm: algorithm as never }; // the settings know key pairs only later
  const verifying = { ...shared, key: publicKey };
  const keys: SigningKeys = {
    signing: { ...shared, key: privateKey },
    find: (id) => (id === shared.id ? verifying : undefined),
  };
  return class KeyPairTokens extends TokenFactory {
    constructor(...[tokenClass, relations, , settings, clock]: ConstructorParameters<typeof TokenFactory>) {
      super(tokenClass, relations, keys, settings, clock);
    }
  };
}
