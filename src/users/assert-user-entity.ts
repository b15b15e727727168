import type { EntityMetadata } from '@mikro-orm/core';

/** Characters of an argon2id hash as `PasswordHasher` makes it (PHC string format). */
export const HASH_LENGTH = 97;

/**
 * Makes sure that the app's user entity is one that the library can work with.
 *
 * @param ownSchema the `schema` of the MikroORM options, where it is not the one that every database has
 * @throws TypeError that names the entity, what was found, and what to do
 */
export function assertUserEntity(meta: EntityMetadata, ownSchema: string | undefined): void {
  const faults = [...keyFaults(meta), ...tableFaults(meta, ownSchema), ...hashFaults(meta)];
  if (faults.length > 0) throw new TypeError(`The user entity ${meta.className} cannot be used: ${faults.join('; ')}`);
}

function keyFaults({ primaryKeys }: EntityMetadata): string[] {
  if (primaryKeys.length === 1 && String(primaryKeys[0]) === 'id') return [];
  return [`its primary key is (${primaryKeys.join(', ')}), and must be one column, as a property named "id"`];
}

function tableFaults({ schema, tptParent, tableName }: EntityMetadata, ownSchema: string | undefined): string[] {
  if (tptParent) return [`its columns are in more tables than "${tableName}" (TPT inheritance)`];
  if (schema !== '*' || ownSchema) return [];
  return [`its schema is "*" and the MikroORM options have no "schema": name one in the entity`];
}

function hashFaults({ properties }: EntityMetadata): string[] {
  const { columnTypes, length } = properties['passwordHash'] ?? {};
  const width = Number(/\((\d+)\)/.exec(columnTypes?.[0] ?? '')?.[1] ?? length);
  if (!(width < HASH_LENGTH)) return [];
  return [`"passwordHash" holds ${width} characters, and a hash has ${HASH_LENGTH}: make it text`];
}
