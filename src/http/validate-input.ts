import { plainToInstance } from 'class-transformer';
import { getMetadataStorage, type ValidationError, validateSync } from 'class-validator';
import type { FieldError, JwtAllauthError } from '../error.js';
import { authError } from '../error-table.js';
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
  if (faults.length > 0) throw refused(faults);
  return input;
}

/**
 * `validateInput`, which lists all at once.
 *
 * @param others finds what a later step would refuse; asked only where the input is refused already
 * @throws validation_failed with every fault, without any value
 */
export async function validateWholeInput<T extends object>(
  type: new () => T,
  body: unknown,
  others: (input: T) => Promise<readonly FieldError[]>,
): Promise<T> {
  const { input, faults } = readInput(type, body);
  if (faults.length === 0) return input;
  const wrong = new Set(faults.map(({ field }) => field));
  const more = await others(input);
  throw refused([...faults, ...more.filter(({ field }) => !wrong.has(field))]);
}

function refused(faults: readonly FieldError[]): JwtAllauthError {
  return authError('validation_failed', { errors: faults.slice(0, FAULTS) });
}

/** The input that a body makes, and what is wrong with it. */
function readInput<T extends object>(type: new () => T, body: unknown = {}): { input: T; faults: FieldError[] } {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw notAnObject();
  }
  // The names are looked at before anything is made of the body: `__proto__` is a field like others, nesting has no
  // end.
  const known = fieldsOf(type);
  const plain: [string, unknown][] = [];
  const faults: FieldError[] = [];
  for (const [field, value] of Object.entries(body)) {
    const fault = faultOf(field, value, known);
    if (fault) faults.push({ field: field.slice(0, NAME_LENGTH), messages: [fault] });
    else plain.push([field, value]);
  }
  const input = plainToInstance(type, Object.fromEntries(plain));
  const errors = validateSync(input, { forbidUnknownValues: true, validationError: { target: false, value: false } });
  const named = new Set(faults.map(({ field }) => field));
  faults.push(...errors.map(toFieldError).filter(({ field }) => !named.has(field)));
  return { input, faults };
}

const fields = new Map<new () => object, readonly string[]>();

/** The names of an input's fields: those that have rules. */
function fieldsOf(type: new () => object): readonly string[] {
  const known = fields.get(type);
  if (known) return known;
  const rules = getMetadataStorage().getTargetValidationMetadatas(type, '', false, false);
  const names = rules.map(({ propertyName }) => propertyName);
  fields.set(type, names);
  return names;
}

function faultOf(field: string, value: unknown, known: readonly string[]): string | undefined {
  if (!known.includes(field)) return 'is not a known field';
  return typeof value === 'object' && value !== null ? 'must be a plain value' : undefined;
}

function toFieldError({ property, constraints = {} }: ValidationError): FieldError {
  return { field: property, messages: [...new Set(Object.values(constraints))] };
}
