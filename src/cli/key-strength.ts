import { isHmac } from '../settings/algorithm.js';
import { readEncryptionKey } from '../settings/encryption-key.js';
import { readPrivateKey } from '../settings/key-material.js';
import type { Settings } from '../settings/settings.js';
import { NEW_RSA_BITS } from '../tokens/generate-keys.js';

/** Estimated bits below which a secret is warned of. Of 32 random hexadecimal digits it is about 90. */
const SECRET_BITS = 50;

const ADVICE = 'take one from `jwt-allauth generate-keys`';

/** No digits alone: they stand in random hexadecimal texts as well, and `bitsOf` leaves such steps out. */
const PLACEHOLDERS = /change.?me|secret|password|example|default|your.?key|placeholder|qwerty|jwt.?allauth/i;

/** What is weak about the key that signs, though the settings take it, in sentences that do not repeat it. */
export function keyWarnings({ algorithm, secretKey, privateKey = '' }: Settings): string[] {
  if (isHmac(algorithm)) return secretWarnings(secretKey);
  const { modulusLength = NEW_RSA_BITS } =
    readPrivateKey(privateKey, algorithm, 'privateKey').key.asymmetricKeyDetails ?? {};
  if (modulusLength >= NEW_RSA_BITS) return [];
  return [`the RSA key has ${modulusLength} bits: ${NEW_RSA_BITS} are as strong as the rest, until 2030 and after`];
}

/** What is weak about the keys that encrypt, in sentences that do not repeat them. */
export function encryptionKeyWarnings({ encryptionKeys, secretKey, verifyingKeys = '' }: Settings): string[] {
  if (encryptionKeys.length === 0) {
    const loss = 'it comes from the signing key, and what is sealed is lost with that';
    return [`ENCRYPTION_KEYS is not set: ${loss}. Production does not start without: ${ADVICE}`];
  }
  const secrets = [secretKey, ...verifyingKeys.split(/\r?\n|\\n/).map((line) => line.replace(/^\s*secret:/, ''))];
  return encryptionKeys.flatMap((text, index) => {
    const name = encryptionKeys.length === 1 ? 'the encryption key' : `encryption key ${index + 1}`;
    const bytes = readEncryptionKey(text) ?? Buffer.alloc(0);
    if (secrets.some((secret) => secret === text || readEncryptionKey(secret)?.equals(bytes)))
      return [`${name} is a secret that signs tokens as well, so that one leak is two: ${ADVICE}`];
    if (/^[\x20-\x7e]+$/.test(bytes.toString('latin1')))
      return [`${name} is a text, which is guessed faster than random bytes: ${ADVICE}`];
    if (bitsOf(text) < SECRET_BITS) return [`${name} repeats itself, so that it can be guessed: ${ADVICE}`];
    return [];
  });
}

function secretWarnings(secret: string): string[] {
  if (PLACEHOLDERS.test(secret)) return [`the secret contains a word that stands in many examples: ${ADVICE}`];
  const words = secret.split(/[\s_.,-]+/).filter((word) => /^[A-Z]?[a-z]{1,12}$/.test(word));
  if (words.length >= 4) return [`the secret reads like words, which are guessed faster than random bytes: ${ADVICE}`];
  if (bitsOf(secret) < SECRET_BITS) return [`the secret repeats itself, so that it can be guessed: ${ADVICE}`];
  return [];
}

/**
 * Bits of a text of which the characters were drawn as often as they occur in it, without its repetitions and steps
 * such as `abc`. Random texts that are long enough for a setting have more than is asked.
 */
function bitsOf(text: string): number {
  const all = [...text];
  const period = all.findIndex(
    (_, size) => size > 0 && all.every((each, index) => index < size || each === all[index - size]),
  );
  const characters = all.slice(0, period > 0 ? period : all.length);
  const drawn = characters.filter((character, index) => !isStep(characters[index - 1], character));
  const counts = new Map<string, number>();
  for (const character of drawn) counts.set(character, (counts.get(character) ?? 0) + 1);
  return [...counts.values()].reduce((bits, count) => bits - count * Math.log2(count / drawn.length), 0);
}

/** Whether a character is the one before, or the next or last one in the alphabet. */
function isStep(before: string | undefined, character: string): boolean {
  if (before === undefined) return false;
  return Math.abs((before.codePointAt(0) ?? 0) - (character.codePointAt(0) ?? 0)) <= 1;
}
