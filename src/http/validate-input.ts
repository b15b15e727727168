import { plainToInstance } from 'class-transformer';
import { getMetadataStorage, type ValidationError, validate, validateSync } from 'class-validator';
import type { FieldError, JwtAllauthError } from '../error.js';
import { authError } from '../error-table.js';
import { isOwnInput } from './field.decorator.js';
import { notAnObject } from './read-body.js';

/** Characters of a field name that an error repeats. */
const NAME_LENGTH = 64;

/** Faults that an error names, so that a body of unknown fields is not answered with a longer one. */
const FAULTS = 20;

/**
 * Makes an input of a parsed JSON body. It depends on no option of the app: routing-controllers skips validation for an
 * array, without its class-transformer, or under a compiler that emits no metadata, and its errors echo what was sent.
 *
 * @throws validation_failed with every fault, without any value
 */
export function validateInput<T extends object>(type: new () => T, body: unknown): T {
  const { input, faults } = readInput(type, body);
  const all = faultsOf(faults, validateSync(input, VALIDATION));
  if (all.length > 0) throw refused(all);
  return input;
}

/**
 * `validateInput`, which waits for asynchronous rules of the app's, and lists all faults at once.
 *
 * @param others finds what a later step would refuse; asked only where the input is refused already
 * @throws validation_failed with every fault, without any value
 */
export async function validateWholeInput<T extends object>(
  type: new () => T,
  body: unknown,
  others: (input: T) => Promise<readonly FieldError[]> = async () => [],
): Promise<T> {
  const { input, faults } = readInput(type, body);
  const all = faultsOf(faults, await validate(input, VALIDATION));
  if (all.length === 0) return input;
  const wrong = new Set(all.map(({ field }) => field));
  const more = await others(input);
  throw refused([...all, ...more.filter(({ field }) => !wrong.has(field))]);
}

const VALIDATION = { forbidUnknownValues: true, validationError: { target: false, value: false } } as const;

function refused(faults: readonly FieldError[]): JwtAllauthError {
  return authError('validation_failed', { errors: faults.slice(0, FAULTS) });
}

/** All faults, of each field one: those that were found first, and those of its rules. */
function faultsOf(found: readonly FieldError[], errors: readonly ValidationError[]): FieldError[] {
  const named = new Set(found.map(({ field }) => field));
  return [...found, ...errors.map(toFieldError).filter(({ field }) => !named.has(field))];
}

/** The input that a body makes, and its fields that nothing may be made of. */
function readInput<T extends object>(type: new () => T, body: unknown = {}): { input: T; faults: FieldError[] } {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw notAnObject();
  }
  // The names are looked at before anything is made of the body: `__proto__` is a field like others, nesting has no
  // end.
  const known = fieldsOf(type);
  const own = ownFieldsOf(type);
  const plain: [string, unknown][] = [];
  const faults: FieldError[] = [];
  for (const [field, value] of Object.entries(body)) {
    const fault = known.includes(field) ? faultOf(value, !own.includes(field)) : 'is not a known field';
    if (fault) faults.push({ field: field.slice(0, NAME_LENGTH), messages: [fault] });
    else plain.push([field, value]);
  }
  const input = plainToInstance(type, Object.fromEntries(plain));
  return { input, faults };
}

const fields = new Map<new () => object, readonly string[]>();

/** The names of an input's fields: those that have rules. */
function fieldsOf(type: new () => object): readonly string[] {
  const known = fields.get(type);
  if (known) return known;
  const rules = getMetadataStorage().getTargetValidationMetadatas(type, '', false, false);
  const names = [...new Set(rules.map(({ propertyName }) => propertyName))];
  fields.set(type, names);
  return names;
}

/** The fields that a class of the app's adds to the class of ours that it extends. */
export function addedFieldsOf(type: new () => object): string[] {
  const own = ownFieldsOf(type);
  return fieldsOf(type).filter((name) => !own.includes(name));
}

/** Those of its fields that are the library's: of a class of the app's, those of the class that it extends. */
function ownFieldsOf(type: new () => object): readonly string[] {
  let own: unknown = type;
  while (typeof own === 'function' && own.prototype && !isOwnInput(own)) own = Object.getPrototypeOf(own);
  return typeof own === 'function' && own.prototype ? fieldsOf(own as new () => object) : [];
}

function faultOf(value: unknown, mayBeList: boolean): string | undefined {
  const isPlain = (each: unknown) => typeof each !== 'object' || each === null;
  if (!mayBeList) return isPlain(value) ? undefined : 'must be a plain value';
  return (Array.isArray(value) ? value : [value]).every(isPlain)
    ? undefined
    : 'must be a plain value or a list of them';
}

function toFieldError({ property, constraints = {} }: ValidationError): FieldError {
  return { field: property, messages: [...new Set(Object.values(constraints))] };
}
