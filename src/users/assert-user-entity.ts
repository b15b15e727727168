import type { EntityMetadata } from '@mikro-orm/core';

/** Length of an argon2id hash with the default parameters of `PasswordHasher`, in characters (PHC string format). */
export const HASH_LENGTH = 97;

/** Properties that the library reads or writes in the database. */
const STORED = ['email', 'passwordHash', 'role', 'isActive', 'emailVerified', 'firstName', 'lastName'];

/**
 * Checks that the library supports the app's user entity.
 *
 * @param ownSchema the `schema` of the MikroORM options, unless it is the default schema of the database
 * @throws TypeError that describes what is wrong and what to do
 */
export function assertUserEntity(meta: EntityMetadata, ownSchema: string | undefined): void {
  const faults = [...keyFaults(meta), ...tableFaults(meta, ownSchema), ...hashFaults(meta), ...storageFaults(meta)];
  if (faults.length > 0) throw new TypeError(`The user entity ${meta.className} cannot be used: ${faults.join('; ')}`);
}

function keyFaults({ primaryKeys }: EntityMetadata): string[] {
  if (primaryKeys.length === 1 && String(primaryKeys[0]) === 'id') return [];
  return [`its primary key is (${primaryKeys.join(', ')}), but must be one column with the property name "id"`];
}

function tableFaults({ schema, tptParent, tableName }: EntityMetadata, ownSchema: string | undefined): string[] {
  if (tptParent) return [`not all of its columns are in the table "${tableName}" (TPT inheritance)`];
  if (schema !== '*' || ownSchema) return [];
  return [`its schema is "*" and the MikroORM options have no "schema": set the schema of the entity`];
}

function storageFaults({ properties }: EntityMetadata): string[] {
  const missing = STORED.filter((name) => properties[name]?.persist === false).map((name) => `"${name}"`);
  if (missing.length === 0) return [];
  return [`${missing.join(', ')} must be stored in a column, but "persist" is false: add the column to the table`];
}

function hashFaults({ properties }: EntityMetadata): string[] {
  const { columnTypes, length } = properties['passwordHash'] ?? {};
  const width = Number(/\((\d+)\)/.exec(columnTypes?.[0] ?? '')?.[1] ?? length);
  if (!(width < HASH_LENGTH)) return [];
  return [`"passwordHash" has ${width} characters, but a hash needs ${HASH_LENGTH}: use the type text`];
}
