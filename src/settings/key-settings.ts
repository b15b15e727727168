import { Transform } from 'class-transformer';
import { ALGORITHMS, type Algorithm, isAlgorithm } from './algorithm.js';
import { areEncryptionKeys, encryptionKeysFault } from './encryption-key.js';
import { must, parseList, Text } from './setting-rules.js';

/** The settings of keys: those that sign and verify tokens, and those that encrypt. A part of `Settings`. */
export abstract class KeySettings {
  @must(`must be one of ${ALGORITHMS.join(', ')}`, isAlgorithm)
  readonly algorithm: Algorithm = 'HS256';

  /** The secret of HMAC signatures; empty for an algorithm with key pairs. */
  @must('must be a text', (value) => typeof value === 'string')
  readonly secretKey: string = '';

  /** The private key of RSA and EC signatures, in PEM; line ends may be written as `\n`. */
  @Text()
  readonly privateKey?: string = undefined;

  /** A file with `privateKey`, which takes its place once the settings are resolved. */
  @Text()
  readonly privateKeyFile?: string = undefined;

  /** Keys that verify beside the one that signs: public keys in PEM, and lines of `secret:` and an older secret. */
  @Text()
  readonly verifyingKeys?: string = undefined;

  /** A file with `verifyingKeys`, which takes its place once the settings are resolved. */
  @Text()
  readonly verifyingKeysFile?: string = undefined;

  /**
   * Keys of what is sealed in the database, and of keyed hashes, 32 bytes each in base64url: the first seals, all open.
   * Default in development: one that comes from the signing key.
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
