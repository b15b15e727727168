import { plainToInstance } from 'class-transformer';
import { getMetadataStorage, type ValidationError, validate, validateSync } from 'class-validator';
import type { FieldError, JwtAllauthError } from '../error.js';
import { authError } from '../error-table.js';
import { isLibraryInput } from './field.decorator.js';
import { isJsonObject } from './json-object.js';
import { notAnObject } from './read-body.js';

/** Maximum length of a field name in an error. */
const MAX_NAME_LENGTH = 64;

/** Maximum number of faults in an error, so that a body of unknown fields does not get an even longer answer. */
const MAX_FAULTS = 20;

/**
 * Creates and validates an input from a parsed JSON body. It depends on no option of the app: routing-controllers skips
 * validation for arrays, without its class-transformer, and if the compiler emits no metadata, and its errors repeat
 * submitted values.
 *
 * @throws validation_failed with the faults of all fields (at most MAX_FAULTS), but no submitted value
 */
export function validateInput<T extends object>(type: new () => T, body: unknown): T {
  const { input, libraryInput, faults } = readInput(type, body);
  const errors = [...(libraryInput ? validateSync(libraryInput, VALIDATION) : []), ...validateSync(input, VALIDATION)];
  const all = faultsOf(faults, errors);
  if (all.length > 0) throw refused(all);
  return input;
}

/**
 * Like `validateInput`, but also awaits asynchronous rules of the app, and reports all faults together.
 *
 * @param others finds faults that a later step would report; called only if the input is refused anyway
 * @throws validation_failed like `validateInput`
 */
export async function validateWholeInput<T extends object>(
  type: new () => T,
  body: unknown,
  others: (input: T) => Promise<readonly FieldError[]> = async () => [],
): Promise<T> {
  const read = readInput(type, body);
  const all = faultsOf(read.faults, await errorsOf(read));
  const { input } = read;
  if (all.length === 0) return input;
  const wrong = new Set(all.map(({ field }) => field));
  const more = await others(input);
  throw refused([...all, ...more.filter(({ field }) => !wrong.has(field))]);
}

/**
 * Like `validateWholeInput`, for a route that does not need some fields of an input: a body must not have them.
 *
 * @param without the names of these fields. The result does not have them
 * @throws validation_failed like `validateInput`
 */
export async function validateInputWithout<T extends object, Field extends keyof T & string>(
  type: new () => T,
  without: readonly Field[],
  body: unknown,
): Promise<Omit<T, Field>> {
  const read = readInput(type, body, without);
  const errors = (await errorsOf(read)).filter(({ property }) => !without.includes(property as Field));
  const all = faultsOf(read.faults, errors);
  if (all.length > 0) throw refused(all);
  return read.input;
}

async function errorsOf<T extends object>({ input, libraryInput }: ReadInput<T>): Promise<ValidationError[]> {
  const ofLibrary = libraryInput ? validateSync(libraryInput, VALIDATION) : [];
  return [...ofLibrary, ...(await validate(input, VALIDATION))];
}

const VALIDATION = { forbidUnknownValues: true, validationError: { target: false, value: false } } as const;

function refused(faults: readonly FieldError[]): JwtAllauthError {
  return authError('validation_failed', { errors: faults.slice(0, MAX_FAULTS) });
}

/** One fault per field: those that were found while reading, then those of the rules. */
function faultsOf(found: readonly FieldError[], errors: readonly ValidationError[]): FieldError[] {
  const faults = new Map<string, FieldError>();
  for (const fault of [...found, ...errors.map(toFieldError)])
    if (!faults.has(fault.field)) faults.set(fault.field, fault);
  return [...faults.values()];
}

/** An input that was read from a body, and the faults found while reading it. */
interface ReadInput<T extends object> {
  readonly input: T;
  /**
   * The library's fields as an instance of the library's class that `input` extends. They are validated separately:
   * class-validator drops an inherited rule if the app's class has one of the same kind on the same field, and almost
   * all rules are of one kind.
   */
  readonly libraryInput: object | undefined;
  readonly faults: FieldError[];
}

function readInput<T extends object>(
  type: new () => T,
  body: unknown = {},
  without: readonly string[] = [],
): ReadInput<T> {
  if (!isJsonObject(body)) throw notAnObject();
  // Field names are checked before an object is created from the body, because `__proto__` would be a field like any
  // other and nesting has no limit.
  const known = fieldsOf(type).filter((field) => !without.includes(field));
  const base = libraryClassOf(type);
  const libraryFieldNames = base ? fieldsOf(base) : [];
  const plain: [string, unknown][] = [];
  const faults: FieldError[] = [];
  for (const [field, value] of Object.entries(body)) {
    const fault = known.includes(field) ? faultOf(value, !libraryFieldNames.includes(field)) : 'is not a known field';
    if (fault) faults.push({ field: field.slice(0, MAX_NAME_LENGTH), messages: [fault] });
    else plain.push([field, value]);
  }
  const input = plainToInstance(type, Object.fromEntries(plain));
  if (!base || base === (type as unknown)) return { input, libraryInput: undefined, faults };
  const libraryFields = plain.filter(([field]) => libraryFieldNames.includes(field));
  return { input, libraryInput: plainToInstance(base, Object.fromEntries(libraryFields)), faults };
}

const fields = new Map<new () => object, readonly string[]>();

/** The names of an input's fields: all properties with validation rules. */
function fieldsOf(type: new () => object): readonly string[] {
  const known = fields.get(type);
  if (known) return known;
  const rules = getMetadataStorage().getTargetValidationMetadatas(type, '', false, false);
  const names = [...new Set(rules.map(({ propertyName }) => propertyName))];
  fields.set(type, names);
  return names;
}

/** The fields that an app's class adds to the library's class that it extends. */
export function addedFieldsOf(type: new () => object): string[] {
  const base = libraryClassOf(type);
  const libraryFieldNames = base ? fieldsOf(base) : [];
  return fieldsOf(type).filter((name) => !libraryFieldNames.includes(name));
}

/** The library's class that an input is or extends; undefined for an input of a module. */
function libraryClassOf(type: new () => object): (new () => object) | undefined {
  let current: unknown = type;
  while (typeof current === 'function' && current.prototype && !isLibraryInput(current)) {
    current = Object.getPrototypeOf(current);
  }
  return typeof current === 'function' && current.prototype ? (current as new () => object) : undefined;
}

function faultOf(value: unknown, isAdded: boolean): string | undefined {
  const isPlain = (each: unknown) => typeof each !== 'object' || each === null;
  if (!isAdded) return isPlain(value) ? undefined : 'must be a plain value';
  const all = Array.isArray(value) ? value : [value];
  if (!all.every(isPlain)) return 'must be a plain value or a list of them';
  // PostgreSQL stores neither lone surrogates nor NUL. The library's own fields have rules against them.
  const isStorable = (each: unknown) => typeof each !== 'string' || (each.isWellFormed() && !each.includes('\0'));
  return all.every(isStorable) ? undefined : 'must be well-formed text without NUL';
}

function toFieldError({ property, constraints = {} }: ValidationError): FieldError {
  return { field: property, messages: [...new Set(Object.values(constraints))] };
}
