/** Bytes of a key: AES-256 takes no other number. */
const KEY_BYTES = 32;

const HEX = /^[\da-f]{64}$/i;
const BASE64 = /^[\w+/-]+={0,2}$/;

/** The bytes of a key in base64url, base64 or 64 hexadecimal digits; undefined when they are not 32. */
export function readEncryptionKey(text: string): Buffer | undefined {
  if (HEX.test(text)) return Buffer.from(text, 'hex'); // as base64url it would have 48 bytes
  const bytes = BASE64.test(text) ? Buffer.from(text, 'base64url') : undefined;
  return bytes?.length === KEY_BYTES ? bytes : undefined;
}

/** Whether a value is a list of keys, each of them another one. An empty list is one too. */
export function areEncryptionKeys(value: unknown): boolean {
  return faultOf(value) === undefined;
}

/** What is wrong with a list of keys, in a sentence that shows none of them. */
export function encryptionKeysFault(value: unknown): string {
  return `must be keys of ${KEY_BYTES} bytes in base64url, separated by commas: ${faultOf(value)}`;
}

function faultOf(value: unknown): string | undefined {
  if (!Array.isArray(value)) return 'it is no list';
  const seen: Buffer[] = [];
  for (const [index, item] of value.entries()) {
    const name = value.length === 1 ? 'the key' : `key ${index + 1}`;
    if (typeof item !== 'string') return `${name} is no text`;
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
  if (/^(\$[({]|`)/.test(text)) return 'is a shell expression that nothing has replaced';
  if (!BASE64.test(text)) return 'has a character that is not in base64url';
  return `has ${Buffer.from(text, 'base64url').length} bytes`;
}
