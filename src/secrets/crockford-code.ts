import { randomBytes } from 'node:crypto';

/** The digits of Crockford's base32: without I, L and O, which look like digits, and without U. */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** Makes a random code for people: 5 bits for each character of Crockford's base32. */
export function createCode(length: number): string {
  return [...randomBytes(length)].map((byte) => DIGITS[byte % DIGITS.length]).join('');
}

/** A code as people read it: in two groups. */
export function formatCode(code: string): string {
  const half = code.length / 2;
  return `${code.slice(0, half)}-${code.slice(half)}`;
}

/**
 * Converts a code that a person typed to the form of `createCode`: upper case, without dashes and spaces, and with
 * digits for I, L and O. Ignores all characters after the 32nd.
 */
export function normalizeCode(typed: string): string {
  const plain = typed.slice(0, 32).replace(/[\s-]/g, '').toUpperCase();
  return plain.replace(/[IL]/g, '1').replace(/O/g, '0');
}
