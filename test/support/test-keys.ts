import { type Algorithm, type SettingsInput } from '../../src/index.js';
import { generateKeys } from '../../src/tokens/generate-keys.js';
import { secrets } from './secrets.js';

/** A new key of an app. */
export interface TestKey {
  /** Settings of an app that signs with it; they override those of `createTestApp`. */
  readonly settings: SettingsInput;
  /** The value for VERIFYING_KEYS if another key signs. */
  readonly older: string;
}

/** Creates a key, and records its secret parts in `secrets`. */
export async function newKey(algorithm: Algorithm): Promise<TestKey> {
  const keys = await generateKeys(algorithm);
  if ('secret' in keys) {
    secrets.add(keys.secret);
    return { settings: { algorithm, secretKey: keys.secret }, older: `secret:${keys.secret}\n` };
  }
  secrets.add(...keys.privateKey.split('\n').filter((line) => !line.startsWith('-')));
  return { settings: { algorithm, secretKey: undefined, privateKey: keys.privateKey }, older: keys.publicKey };
}
