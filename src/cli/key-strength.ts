import { isHmac } from '../settings/algorithm.js';
import { readEncryptionKey } from '../settings/encryption-key.js';
import { readPrivateKey } from '../settings/key-material.js';
import type { Settings } from '../settings/settings.js';
import { NEW_RSA_BITS } from '../tokens/generate-keys.js';

/**
 * Estimated entropy in bits below which a secret or an encryption key is reported. 32 random hexadecimal digits have
 * about 95.
 */
const SECRET_BITS = 50;

const ADVICE = 'create one with `jwt-allauth generate-keys`';
const TOO_REGULAR = 'has too many repetitions or sequences, so it can be guessed';

/**
 * Words that occur in examples. Sequences of digits such as `1234` are not listed, because random hexadecimal texts can
 * contain them. `entropyBits` does not count them.
 */
const PLACEHOLDERS = /change.?me|secret|password|example|default|your.?key|placeholder|qwerty|jwt.?allauth/i;

/** Weaknesses of a signing key that is valid as a setting, in sentences that do not show the key. */
export function keyWarnings({ algorithm, secretKey, privateKey = '' }: Settings): string[] {
  if (isHmac(algorithm)) return secretWarnings(secretKey);
  const { modulusLength = NEW_RSA_BITS } =
    readPrivateKey(privateKey, algorithm, 'privateKey').key.asymmetricKeyDetails ?? {};
  if (modulusLength >= NEW_RSA_BITS) return [];
  return [`the RSA key has ${modulusLength} bits: use ${NEW_RSA_BITS}, which is recommended beyond 2030`];
}

/** Weaknesses of the encryption keys, in sentences that do not show them. */
export function encryptionKeyWarnings({ encryptionKeys, secretKey, verifyingKeys = '' }: Settings): string[] {
  if (encryptionKeys.length === 0) {
    const loss = 'the key is derived from the signing key, and encrypted data is lost when that changes';
    return [`JWT_ALLAUTH_ENCRYPTION_KEYS is not set: ${loss}. Production does not start without it: ${ADVICE}`];
  }
  const secrets = [secretKey, ...verifyingKeys.split(/\r?\n|\\n/).map((line) => line.replace(/^\s*secret:/, ''))];
  return encryptionKeys.flatMap((text, index) => {
    const name = encryptionKeys.length === 1 ? 'the encryption key' : `encryption key ${index + 1}`;
    const bytes = readEncryptionKey(text) ?? Buffer.alloc(0);
    if (secrets.some((secret) => secret === text || readEncryptionKey(secret)?.equals(bytes)))
      return [`${name} also signs or verifies tokens, so one leak exposes both: ${ADVICE}`];
    if (/^[\x20-\x7e]+$/.test(bytes.toString('latin1')))
      return [`${name} is a text, which can be guessed faster than random bytes: ${ADVICE}`];
    if (entropyBits(text) < SECRET_BITS) return [`${name} ${TOO_REGULAR}: ${ADVICE}`];
    return [];
  });
}

function secretWarnings(secret: string): string[] {
  if (PLACEHOLDERS.test(secret)) return [`the secret contains a word that is common in examples: ${ADVICE}`];
  const words = secret.split(/[\s_.,-]+/).filter((word) => /^[A-Z]?[a-z]{1,12}$/.test(word));
  if (words.length >= 4)
    return [`the secret consists of words, which can be guessed faster than random bytes: ${ADVICE}`];
  if (entropyBits(secret) < SECRET_BITS) return [`the secret ${TOO_REGULAR}: ${ADVICE}`];
  return [];
}

/**
 * Estimates the entropy of a text in bits, from the frequency of its characters. If the whole text is one part again
 * and again, it counts that part once. It does not count characters that continue a run such as `aaa`, `abc` or `321`.
 * A random text of 32 hexadecimal or base64url characters almost always has more than SECRET_BITS.
 */
function entropyBits(text: string): number {
  const all = [...text];
  const period = all.findIndex(
    (_, size) => size > 0 && all.every((each, index) => index < size || each === all[index - size]),
  );
  const characters = all.slice(0, period > 0 ? period : all.length);
  const drawn = characters.filter((character, index) => !continuesRun(characters[index - 1], character));
  const counts = new Map<string, number>();
  for (const character of drawn) counts.set(character, (counts.get(character) ?? 0) + 1);
  return [...counts.values()].reduce((bits, count) => bits - count * Math.log2(count / drawn.length), 0);
}

/** Whether a character equals the previous one, or comes directly before or after it in Unicode. */
function continuesRun(before: string | undefined, character: string): boolean {
  if (before === undefined) return false;
  return Math.abs((before.codePointAt(0) ?? 0) - (character.codePointAt(0) ?? 0)) <= 1;
}
