import type { EntityProperty } from '@mikro-orm/core';
import type { UserId } from './base-user.entity.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether a value is a UUID string in the form of RFC 9562 §4, which PostgreSQL accepts. */
export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && UUID.test(value);
}

/**
 * Converts a `sub` claim to a value of the user's primary key. A correctly signed token may have a `sub` that is no
 * valid key, if another app uses the same secret.
 *
 * @returns undefined if the column cannot have that value
 */
export function parseUserId(sub: string, { runtimeType, columnTypes }: EntityProperty): UserId | undefined {
  if (columnTypes[0] === 'uuid') return isUuid(sub) ? sub : undefined;
  if (runtimeType === 'number' || runtimeType === 'bigint' || /int|serial/.test(columnTypes[0] ?? '')) {
    const limit = /^(bigint|bigserial|int8)/.test(columnTypes[0] ?? '') ? 2n ** 63n : 2n ** 31n;
    if (!/^-?\d{1,19}$/.test(sub) || BigInt(sub) >= limit || BigInt(sub) < -limit) return undefined;
    return runtimeType === 'number' ? Number(sub) : runtimeType === 'bigint' ? BigInt(sub) : sub;
  }
  return sub;
}
