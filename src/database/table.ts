import {
  type EntityMetadata,
  type EntityProperty,
  type MetadataStorage,
  type Platform,
  ReferenceKind,
} from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/postgresql';

/** The SQL names of an entity, quoted, as the app's naming strategy and schema make them. */
export class Table {
  /** The table, with its schema where there is one. */
  readonly name: string;
  /** The schema with a dot behind it, or nothing: in which an index of the table is dropped. */
  readonly schema: string;

  constructor(
    private readonly platform: Platform,
    private readonly meta: EntityMetadata,
    defaultSchema: string | undefined,
  ) {
    const schema = meta.schema && meta.schema !== '*' ? meta.schema : defaultSchema;
    this.schema = schema ? `${this.#quote(schema)}.` : '';
    this.name = this.schema + this.#quote(meta.tableName);
  }

  static of(orm: MikroORM, meta: EntityMetadata): Table {
    return new Table(orm.em.getPlatform(), meta, orm.config.get('schema'));
  }

  /** The table of an entity that the ORM knows by this name. @throws TypeError that says how to make it known */
  static named(orm: MikroORM, name: string): Table {
    return Table.of(orm, entityMetadata(orm.getMetadata(), name));
  }

  /** The column of a property. */
  column(property: string): string {
    return this.#quote(this.#field(property));
  }

  /** The name of the constraint or index on some columns, as the schema generator would give it. */
  constraint(properties: string | readonly string[], type: 'index' | 'foreign' | 'unique'): string {
    const fields = [properties].flat().map((property) => this.#field(property));
    return this.#quote(this.platform.getIndexName(this.meta.tableName, fields, type));
  }

  /** The type of a property's column. */
  columnType(property: string): string {
    return this.meta.properties[property]?.columnTypes[0] ?? 'text';
  }

  /** What an entity is loaded from: every stored column that is not lazy, for a SELECT or RETURNING list. */
  columns(alias: string): string {
    const fields = this.meta.props.filter(isLoaded).flatMap(({ fieldNames }) => fieldNames);
    return [...new Set(fields)].map((field) => `${alias}.${this.#quote(field)}`).join(', ');
  }

  #field(property: string): string {
    const field = this.meta.properties[property]?.fieldNames[0];
    if (!field) throw new TypeError(`${this.meta.className} has no column for "${property}"`);
    return field;
  }

  #quote(identifier: string): string {
    return this.platform.quoteIdentifier(identifier);
  }
}

function isLoaded(property: EntityProperty): boolean {
  const isOwned =
    property.kind === ReferenceKind.MANY_TO_ONE || (property.kind === ReferenceKind.ONE_TO_ONE && property.owner);
  const isScalar =
    property.kind === ReferenceKind.SCALAR || (property.kind === ReferenceKind.EMBEDDED && property.object);
  return Boolean(
    (isOwned || isScalar) &&
      property.persist !== false &&
      !property.lazy &&
      !property.formula &&
      property.fieldNames?.length,
  );
}

/** What the ORM knows of an entity of ours. @throws TypeError that says how to make it known */
export function entityMetadata(all: MetadataStorage, name: string): EntityMetadata {
  const meta = [...all.getAll().values()].find(({ className }) => className === name);
  if (!meta)
    throw new TypeError(
      `The ORM does not know ${name}: add ...createAuthEntities({ user: () => User }) to its entities`,
    );
  return meta;
}
