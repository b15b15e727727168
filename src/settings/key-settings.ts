import { ALGORITHMS, type Algorithm, isAlgorithm } from './algorithm.js';
import { must, Text } from './setting-rules.js';

/** The settings of the keys that sign and verify tokens: a part of `Settings`. */
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
}
