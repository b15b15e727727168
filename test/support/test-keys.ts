import { type Algorithm, type SettingsInput } from '../../src/index.js';
import { generateKeys } from '../../src/tokens/generate-keys.js';
import { secrets } from './secrets.js';

/** A new key of an app. */
export interface TestKey {
  /** Settings of an app that signs with it; over those of `createTestApp`. */
  readonly settings: SettingsInput;
  /** What VERIFYING_KEYS says of it where another key signs. */
  readonly older: string;
}

/** Makes a key whose secret parts `secrets` looks for from now on. */
export async function newKey(algorithm: Algorithm): Promise<TestKey> {
  const keys = await generateKeys(algorithm);
  if ('secret' in keys) {
    secrets.add(keys.secret);
    return { settings: { algorithm, secretKey: keys.secret }, older: `secret:${keys.secret}\n` };
  }
  secrets.add(...keys.privateKey.split('\n').filter((line) => !line.startsWith('-')));
  return { settings: { algorithm, secretKey: undefined, privateKey: keys.privateKey }, older: keys.publicKey };
}
