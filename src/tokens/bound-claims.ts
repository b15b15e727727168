import { authError } from '../error-table.js';
import { assertNotReserved, type CustomClaims } from './claims.js';
import { assertSerializable } from './serializable-claims.js';

/** What JSON can carry and PostgreSQL cannot: NUL, and half of a surrogate pair. */
const NOT_STORABLE = /\0|\p{Surrogate}/u;

/**
 * The claims that are bound to a session, in the form in which every token of it has them: as JSON gives them back.
 *
 * @throws reserved_claim for a name of ours; claim_not_serializable for what JSON or the database cannot carry
 */
export function normalizeBoundClaims(claims: CustomClaims = {}): CustomClaims {
  const own = { ...claims }; // without a `toJSON`, which could make other names of it
  assertNotReserved(own);
  assertSerializable(own);
  return JSON.parse(JSON.stringify(own), (name, value) => {
    if (NOT_STORABLE.test(name) || (typeof value === 'string' && NOT_STORABLE.test(value))) {
      const detail = 'A claim of the session has a character that the database cannot store.';
      throw authError('claim_not_serializable', { detail });
    }
    return value;
  });
}
