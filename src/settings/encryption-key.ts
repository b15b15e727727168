/** Length of an AES-256 key, in bytes. */
const KEY_BYTES = 32;

const HEX = /^[\da-f]{64}$/i;
const BASE64 = /^[\w+/-]+={0,2}$/;

/** Decodes a key from base64url, base64 or 64 hexadecimal digits. Undefined unless it has 32 bytes. */
export function readEncryptionKey(text: string): Buffer | undefined {
  if (HEX.test(text)) return Buffer.from(text, 'hex'); // 64 hexadecimal digits are valid base64url too, of 48 bytes
  const bytes = BASE64.test(text) ? Buffer.from(text, 'base64url') : undefined;
  return bytes?.length === KEY_BYTES ? bytes : undefined;
}

/** Whether a value is a list of different keys. An empty list is allowed. */
export function areEncryptionKeys(value: unknown): boolean {
  return faultOf(value) === undefined;
}

/** Describes what is wrong with a list of keys, without showing a key. */
export function encryptionKeysFault(value: unknown): string {
  return `must be keys of ${KEY_BYTES} bytes in base64url, separated by commas: ${faultOf(value)}`;
}

function faultOf(value: unknown): string | undefined {
  if (!Array.isArray(value)) return 'it is not a list';
  const seen: Buffer[] = [];
  for (const [index, item] of value.entries()) {
    const name = value.length === 1 ? 'the key' : `key ${index + 1}`;
    if (typeof item !== 'string') return `${name} is not a string`;
    const bytes = readEncryptionKey(item);
    if (!bytes) return `${name} ${faultOfKey(item)}`;
    const same = seen.findIndex((each) => each.equals(bytes));
    if (same >= 0) return `${name} is the same as key ${same + 1}`;
    seen.push(bytes);
  }
  return undefined;
}

function faultOfKey(text: string): string {
  if (text === '') return 'is empty';
  if (/^(\$[({]|`)/.test(text)) return 'is a shell expression that was not expanded';
  if (!BASE64.test(text)) return 'has a character that base64url does not allow';
  return `has ${Buffer.from(text, 'base64url').length} bytes`;
}
