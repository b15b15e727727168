import {
  type EntityMetadata,
  type EntityProperty,
  type MetadataStorage,
  type Platform,
  ReferenceKind,
} from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/postgresql';

/** The quoted SQL names of an entity, under the app's naming strategy and schema. */
export class Table {
  /** The name of the table, with its schema if there is one. */
  readonly name: string;
  /** The schema followed by a dot, or an empty string. For `drop index`, which needs the schema before the name. */
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

  /** The table of the library's or a module's entity with this name. @throws TypeError if the ORM does not know it */
  static named(orm: MikroORM, name: string): Table {
    return Table.of(orm, entityMetadata(orm.getMetadata(), name));
  }

  /** The column of a property. */
  column(property: string): string {
    return this.#quote(this.#field(property));
  }

  /** The columns of the primary key. */
  get key(): readonly string[] {
    return this.meta.primaryKeys.map((property) => this.column(property));
  }

  /** The name of a constraint or index on some columns, as MikroORM's schema generator makes it. */
  constraint(properties: string | readonly string[], type: 'index' | 'foreign' | 'unique'): string {
    const fields = [properties].flat().map((property) => this.#field(property));
    return this.#quote(this.platform.getIndexName(this.meta.tableName, fields, type));
  }

  /** The SQL type of a property's column. */
  columnType(property: string): string {
    return this.meta.properties[property]?.columnTypes[0] ?? 'text';
  }

  /** A SELECT or RETURNING list of all columns that MikroORM loads: every stored column that is not lazy. */
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

/** The metadata of the library's or a module's entity. @throws TypeError if the ORM does not know it */
export function entityMetadata(all: MetadataStorage, name: string): EntityMetadata {
  const meta = [...all.getAll().values()].find(({ className }) => className === name);
  if (!meta)
    throw new TypeError(
      `The ORM does not know ${name}: add ...createAuthEntities({ user: () => User, modules }) to its entities`,
    );
  return meta;
}
