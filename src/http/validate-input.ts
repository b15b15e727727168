import { plainToInstance } from 'class-transformer';
import { getMetadataStorage, type ValidationError, validate } from 'class-validator';
import { type FieldError, validationFailed } from '../error.js';

/** Characters of a field name that an error repeats. */
const NAME_LENGTH = 64;

/**
 * Makes an input of a parsed JSON body. It depends on no option of the app: routing-controllers skips validation for an
 * array, without its class-transformer, or under a compiler that emits no metadata, and its errors echo what was sent.
 *
 * @throws validation_failed with every fault, without any value
 */
export async function validateInput<T extends object>(type: new () => T, body: unknown = {}): Promise<T> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw validationFailed([{ field: '', messages: ['must be a JSON object'] }]);
  }
  // The names are looked at before anything is made of the body: `__proto__` is a field like others, nesting has no end.
  const fields = Object.entries(body);
  const faults = fields.flatMap(([field, value]) => faultOf(field, value, fieldsOf(type)));
  const refused = new Set(faults.map(({ field }) => field));
  const input = plainToInstance(type, Object.fromEntries(fields.filter(([field]) => !refused.has(field))));
  const errors = await validate(input, { forbidUnknownValues: true, validationError: { target: false, value: false } });
  faults.push(...errors.map(toFieldError).filter(({ field }) => !refused.has(field)));
  if (faults.length > 0) throw validationFailed(faults);
  return input;
}

/** The names of an input's fields: those that have rules. */
function fieldsOf(type: new () => object): string[] {
  return getMetadataStorage()
    .getTargetValidationMetadatas(type, '', false, false)
    .map(({ propertyName }) => propertyName);
}

function faultOf(field: string, value: unknown, known: readonly string[]): FieldError[] {
  const name = field.slice(0, NAME_LENGTH);
  if (!known.includes(field)) return [{ field: name, messages: ['is not a known field'] }];
  return typeof value === 'object' && value !== null ? [{ field: name, messages: ['must be a plain value'] }] : [];
}

function toFieldError({ property, constraints = {} }: ValidationError): FieldError {
  return { field: property, messages: Object.values(constraints) };
}
