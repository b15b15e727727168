import { plainToInstance } from 'class-transformer';
import { getMetadataStorage, type ValidationError, validate, validateSync } from 'class-validator';
import type { FieldError, JwtAllauthError } from '../error.js';
import { authError } from '../error-table.js';
import { isLibraryInput } from './field.decorator.js';
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
  const { input, own, faults } = readInput(type, body);
  const errors = [...(own ? validateSync(own, VALIDATION) : []), ...validateSync(input, VALIDATION)];
  const all = faultsOf(faults, errors);
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
  const { input, own, faults } = readInput(type, body);
  const errors = [...(own ? validateSync(own, VALIDATION) : []), ...(await validate(input, VALIDATION))];
  const all = faultsOf(faults, errors);
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
  const faults = new Map<string, FieldError>();
  for (const fault of [...found, ...errors.map(toFieldError)])
    if (!faults.has(fault.field)) faults.set(fault.field, fault);
  return [...faults.values()];
}

/** What a body makes, and its fields that nothing may be made of. */
interface ReadInput<T extends object> {
  readonly input: T;
  /**
   * Our fields in the class of ours that `input` extends: class-validator drops an inherited rule where a class of the
   * app's has one of the same kind on the same field, and nearly all are of one kind.
   */
  readonly own: object | undefined;
  readonly faults: FieldError[];
}

function readInput<T extends object>(type: new () => T, body: unknown = {}): ReadInput<T> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw notAnObject();
  }
  // The names are looked at before anything is made of the body: `__proto__` is a field like others, nesting has no
  // end.
  const known = fieldsOf(type);
  const base = libraryClassOf(type);
  const own = base ? fieldsOf(base) : [];
  const plain: [string, unknown][] = [];
  const faults: FieldError[] = [];
  for (const [field, value] of Object.entries(body)) {
    const fault = known.includes(field) ? faultOf(value, !own.includes(field)) : 'is not a known field';
    if (fault) faults.push({ field: field.slice(0, NAME_LENGTH), messages: [fault] });
    else plain.push([field, value]);
  }
  const input = plainToInstance(type, Object.fromEntries(plain));
  if (!base || base === (type as unknown)) return { input, own: undefined, faults };
  const ours = plain.filter(([field]) => own.includes(field));
  return { input, own: plainToInstance(base, Object.fromEntries(ours)), faults };
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
  const base = libraryClassOf(type);
  const own = base ? fieldsOf(base) : [];
  return fieldsOf(type).filter((name) => !own.includes(name));
}

/** The class of the library's that an input is, or extends; undefined for one of a module. */
function libraryClassOf(type: new () => object): (new () => object) | undefined {
  let own: unknown = type;
  while (typeof own === 'function' && own.prototype && !isLibraryInput(own)) own = Object.getPrototypeOf(own);
  return typeof own === 'function' && own.prototype ? (own as new () => object) : undefined;
}

function faultOf(value: unknown, isAdded: boolean): string | undefined {
  const isPlain = (each: unknown) => typeof each !== 'object' || each === null;
  if (!isAdded) return isPlain(value) ? undefined : 'must be a plain value';
  const all = Array.isArray(value) ? value : [value];
  if (!all.every(isPlain)) return 'must be a plain value or a list of them';
  // PostgreSQL takes neither. Our own fields have rules that say so.
  const isStorable = (each: unknown) => typeof each !== 'string' || (each.isWellFormed() && !each.includes('\0'));
  return all.every(isStorable) ? undefined : 'must be well-formed text without NUL';
}

function toFieldError({ property, constraints = {} }: ValidationError): FieldError {
  return { field: property, messages: [...new Set(Object.values(constraints))] };
}
