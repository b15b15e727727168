import { type EntityMetadata, type EntityProperty, ReferenceKind } from '@mikro-orm/core';
import { authError } from '../error-table.js';
import type { InputClass } from './route-description.js';
import { addedFieldsOf } from './validate-input.js';

/** What the library alone writes. */
const GUARDED: readonly string[] = ['id', 'role', 'isActive', 'emailVerified', 'passwordHash', 'email'];

/** The inputs that an app can add fields to. */
export type InputUse = 'registration' | 'profile';

/** A field of the app's, as `GET /user` shows it. */
export interface ShownField {
  readonly name: string;
  /** The class that has its rules. */
  readonly input: InputClass;
  readonly isNullable: boolean;
}

/**
 * The fields that a class of the app's adds to an input of ours: each is a property of the user entity with that name.
 */
export class InputFields {
  readonly #use: InputUse;
  readonly #own: InputClass | undefined;
  readonly #properties: readonly EntityProperty[];

  /**
   * @param own the class of the app's, if it has one
   * @throws TypeError for a field that it must not have
   */
  constructor(use: InputUse, own: InputClass | undefined, user: EntityMetadata) {
    this.#use = use;
    this.#own = own;
    const names = own ? addedFieldsOf(own) : [];
    const faults = names.flatMap((name) => faultOf(name, user) ?? []);
    if (faults.length > 0) throw new TypeError(`inputs.${use}: ${faults.join('; ')}`);
    this.#properties = names.map((name) => user.properties[name] as EntityProperty);
  }

  /** What a body is made into: the class of the app's, or ours. @throws TypeError where that does not extend ours */
  typeOf<T extends object>(base: new () => T): new () => T {
    const own = this.#own;
    if (own && !(own.prototype instanceof base)) {
      throw new TypeError(`inputs.${this.#use}: ${own.name} does not extend ${base.name}`);
    }
    return (own as (new () => T) | undefined) ?? base;
  }

  /** The fields that are shown to their user. */
  get shown(): ShownField[] {
    const input = this.#own;
    if (!input) return [];
    const shown = this.#properties.filter(({ hidden, lazy }) => !hidden && !lazy);
    return shown.map(({ name, nullable = false }) => ({ name, input, isNullable: nullable }));
  }

  /**
   * The values of the fields that an input has.
   *
   * @param body where only what it has itself counts, and not the defaults of the class
   * @throws validation_failed for null where the column takes none
   */
  valuesOf(input: object, body: object = input): Readonly<Record<string, unknown>> {
    const values = input as Readonly<Record<string, unknown>>;
    const given = this.#properties.filter(({ name }) => name in body && values[name] !== undefined);
    const errors = given
      .filter(({ name, nullable }) => values[name] === null && !nullable)
      .map(({ name }) => ({ field: name, messages: ['must not be null'] }));
    if (errors.length > 0) throw authError('validation_failed', { errors });
    return Object.fromEntries(given.map(({ name }) => [name, values[name]]));
  }
}

function faultOf(name: string, { properties, className }: EntityMetadata): string | undefined {
  if (GUARDED.includes(name)) return `a field "${name}" would change what the library guards`;
  const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
  const isStored = property?.kind === ReferenceKind.SCALAR && property.persist !== false && !property.formula;
  if (isStored && !property.primary && !property.version) return undefined;
  return `${className} has no stored property "${name}" that the field could be written to`;
}

/** The values of fields of a user, as JSON has them. */
export function fieldValues(user: object, fields: readonly ShownField[]): Record<string, unknown> {
  const values = user as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    fields.map(({ name }) => [name, typeof values[name] === 'bigint' ? String(values[name]) : (values[name] ?? null)]),
  );
}
