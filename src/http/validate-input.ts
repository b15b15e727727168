import { plainToInstance } from 'class-transformer';
import { type ValidationError, validate } from 'class-validator';
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
  const nested = Object.entries(body).filter(([, value]) => typeof value === 'object');
  if (nested.length > 0) {
    throw validationFailed(nested.map(([field]) => ({ field: shorten(field), messages: ['must be a plain value'] })));
  }
  const input = plainToInstance(type, body);
  const errors = await validate(input, {
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    validationError: { target: false, value: false },
  });
  if (errors.length > 0) throw validationFailed(errors.map((error) => toFieldError(error)));
  return input;
}

function toFieldError({ property, constraints = {} }: ValidationError): FieldError {
  const { whitelistValidation, ...rules } = constraints;
  return { field: shorten(property), messages: whitelistValidation ? ['is not a known field'] : Object.values(rules) };
}

function shorten(name: string): string {
  return name.slice(0, NAME_LENGTH);
}
