import { authError } from '../error-table.js';
import { assertNotReserved, type CustomClaims } from './claims.js';
import { assertSerializable } from './serializable-claims.js';

/** Characters that JSON allows and PostgreSQL does not: NUL, and an unpaired surrogate. */
const NOT_STORABLE = /\0|\p{Surrogate}/u;

/**
 * Checks claims that are to be bound to a session, and converts them to plain JSON values.
 *
 * @throws reserved_claim for a reserved name; claim_not_serializable for a value that JSON or PostgreSQL cannot
 * represent
 */
export function normalizeBoundClaims(claims: CustomClaims = {}): CustomClaims {
  const copy = { ...claims }; // an inherited `toJSON` could add reserved names later
  assertNotReserved(copy);
  assertSerializable(copy);
  return JSON.parse(JSON.stringify(copy), (name, value) => {
    if (NOT_STORABLE.test(name) || (typeof value === 'string' && NOT_STORABLE.test(value))) {
      const detail = 'A claim of the session has a character that the database cannot store.';
      throw authError('claim_not_serializable', { detail });
    }
    return value;
  });
}
