import { Transform } from 'class-transformer';
import { ALGORITHMS, type Algorithm, isAlgorithm } from './algorithm.js';
import { areEncryptionKeys, encryptionKeysFault } from './encryption-key.js';
import { must, parseList, Text } from './setting-rules.js';

/** The settings of the keys that sign and verify tokens, and of the keys that encrypt. Part of `Settings`. */
export abstract class KeySettings {
  @must(`must be one of ${ALGORITHMS.join(', ')}`, isAlgorithm)
  readonly algorithm: Algorithm = 'HS256';

  /** The secret for HMAC algorithms. Empty for an algorithm with key pairs. */
  @must('must be a string', (value) => typeof value === 'string')
  readonly secretKey: string = '';

  /** The private key for RSA and EC algorithms, in PEM. Line ends may be written as `\n`. */
  @Text()
  readonly privateKey?: string = undefined;

  /** Path of a file with the private key. The resolved settings have its content in `privateKey`. */
  @Text()
  readonly privateKeyFile?: string = undefined;

  /** Additional verification keys: public keys in PEM, and lines that consist of `secret:` and an older secret. */
  @Text()
  readonly verifyingKeys?: string = undefined;

  /** Path of a file with additional verification keys. The resolved settings have its content in `verifyingKeys`. */
  @Text()
  readonly verifyingKeysFile?: string = undefined;

  /**
   * Keys that encrypt values in the database and make keyed hashes: 32 bytes each, in base64url. The first key
   * encrypts, all keys decrypt. Default in development: one key, derived from the signing key.
   */
  @Transform(({ value }) => parseList(value))
  @must(encryptionKeysFault, areEncryptionKeys)
  @must(
    'must be set in production: `npx jwt-allauth generate-keys` makes a key',
    (value, settings: { readonly development?: boolean }) =>
      settings.development === true || !Array.isArray(value) || value.length > 0,
  )
  readonly encryptionKeys: readonly string[] = [];
}
