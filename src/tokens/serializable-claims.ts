import { JwtAllauthError } from '../error.js';
import { authError } from '../error-table.js';

/**
 * Refuses a claim that JSON would change or drop without a word, so that a resource server would read something else
 * than the app has written: Map, Set, NaN, Infinity, bigint, functions, symbols, typed arrays, an invalid Date,
 * undefined in an array, a cycle. A claim or a property that is undefined is left out, as everywhere in JSON. What has
 * a `toJSON`, such as a Date, is judged by what that returns.
 *
 * @throws claim_not_serializable that names the claim by its path, and never its value
 */
export function assertSerializable(payload: Readonly<Record<string, unknown>>): void {
  for (const [claim, value] of Object.entries(payload)) if (value !== undefined) check(value, claim, [payload]);
}

function check(value: unknown, path: string, above: readonly unknown[]): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) return;
  if (typeof value !== 'object') throw refused(path, typeof value === 'number' ? String(value) : `a ${typeof value}`);
  if (above.includes(value)) throw refused(path, 'a cycle');
  const kind = Object.prototype.toString.call(value).slice('[object '.length, -1);
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function' && !ArrayBuffer.isView(value)) {
    checkForm(toJSON.call(value), value, path, above);
  } else {
    if (kind !== 'Object' && kind !== 'Array') throw refused(path, `a ${kind}`);
    const items = Array.isArray(value) ? Array.from(value).entries() : definedOf(value);
    for (const [name, item] of items) check(item, `${path}.${name}`, [...above, value]);
  }
}

/** Checks what `toJSON` makes of a value. An invalid Date has null for its form. */
function checkForm(form: unknown, value: object, path: string, above: readonly unknown[]): void {
  if (value instanceof Date && form === null) throw refused(path, 'an invalid Date');
  if (form !== undefined && form !== value) check(form, path, [...above, value]);
}

function definedOf(value: object): [string, unknown][] {
  return Object.entries(value).filter(([, item]) => item !== undefined);
}

function refused(path: string, what: string): JwtAllauthError {
  const detail = `The claim "${path}" holds ${what}, which JSON cannot carry; give it another form.`;
  return authError('claim_not_serializable', { detail });
}
