import { generateKeyPairSync } from 'node:crypto';
import type { SettingsInput } from '../../src/index.js';

/** Settings with a new key pair. RSA keys have 2048 bits, as in the other servers. */
export function keyPairSettings(algorithm: 'RS256' | 'ES256'): SettingsInput {
  const { privateKey } =
    algorithm === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { algorithm, privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
}
