import { randomBytes } from 'node:crypto';

/** The digits of Crockford's base32, without letters that look like other characters: I, L, O and U. */
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

/** A code as a person typed it, in the form of `createCode`: in any case, with or without dashes and spaces. */
export function normalizeCode(typed: string): string {
  const plain = typed.slice(0, 32).replace(/[\s-]/g, '').toUpperCase();
  return plain.replace(/[IL]/g, '1').replace(/O/g, '0');
}
