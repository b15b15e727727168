import { JwtAllauthError } from '../error.js';
import { authError } from '../error-table.js';

/**
 * Refuses claims that JSON cannot represent, or would silently change or drop: Map, Set, NaN, Infinity, bigint,
 * functions, symbols, typed arrays, an invalid Date, undefined in an array, a cycle. An undefined claim or property is
 * left out, as usual in JSON. For an object with `toJSON`, such as a Date, the result of `toJSON` is checked.
 *
 * @throws claim_not_serializable with the path of the claim, without its value
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
    checkJson(toJSON.call(value), value, path, above);
  } else {
    if (kind !== 'Object' && kind !== 'Array') throw refused(path, `a ${kind}`);
    const items = Array.isArray(value) ? Array.from(value).entries() : definedOf(value);
    for (const [name, item] of items) check(item, `${path}.${name}`, [...above, value]);
  }
}

/** Checks the result of `toJSON`. It is null for an invalid Date. */
function checkJson(json: unknown, value: object, path: string, above: readonly unknown[]): void {
  if (value instanceof Date && json === null) throw refused(path, 'an invalid Date');
  if (json !== undefined && json !== value) check(json, path, [...above, value]);
}

function definedOf(value: object): [string, unknown][] {
  return Object.entries(value).filter(([, item]) => item !== undefined);
}

function refused(path: string, what: string): JwtAllauthError {
  const detail = `The claim "${path}" contains ${what}, which JSON cannot represent; convert it.`;
  return authError('claim_not_serializable', { detail });
}
