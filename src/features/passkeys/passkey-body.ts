import { authError } from '../../error-table.js';
import { isJsonObject } from '../../http/json-object.js';
import { validateInput } from '../../http/validate-input.js';

/** A body without its `credential`, and the credential, which the verification checks. */
export interface BodyWithCredential<T> {
  readonly input: T;
  readonly credential: object;
}

/** Reads a body that has a `credential` and the fields of an input. @throws validation_failed */
export function readCredential<T extends object>(type: new () => T, body: unknown): BodyWithCredential<T> {
  const { credential, rest } = splitCredential(body);
  return { input: validateInput(type, rest), credential };
}

/** Separates the `credential` of a body from its other fields. @throws validation_failed if it is no object */
export function splitCredential(body: unknown): { readonly credential: object; readonly rest: object } {
  const { credential, ...rest } = (isJsonObject(body) ? body : {}) as { readonly credential?: unknown };
  if (isJsonObject(credential)) return { credential, rest };
  throw authError('validation_failed', { errors: [{ field: 'credential', messages: ['must be an object'] }] });
}
