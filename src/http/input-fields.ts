import { type EntityMetadata, type EntityProperty, ReferenceKind } from '@mikro-orm/core';
import { authError } from '../error-table.js';
import type { InputClass } from './route-description.js';
import { addedFieldsOf } from './validate-input.js';

/** Properties that only the library may write. */
const LIBRARY_PROPERTIES: readonly string[] = ['id', 'role', 'isActive', 'emailVerified', 'passwordHash', 'email'];

/** The inputs to which an app can add fields. */
export type InputUse = 'registration' | 'profile';

/** A field that the app added, as `GET /user` returns it. */
export interface ShownField {
  readonly name: string;
  /** The class with its validation rules. */
  readonly input: InputClass;
  readonly isNullable: boolean;
}

/**
 * The fields that a class of the app adds to an input of the library. Each is a property of the user entity with the
 * same name.
 */
export class InputFields {
  readonly #use: InputUse;
  readonly #appInput: InputClass | undefined;
  readonly #properties: readonly EntityProperty[];

  /**
   * @param appInput the app's input class, if it has one
   * @throws TypeError for a field that must not be added
   */
  constructor(use: InputUse, appInput: InputClass | undefined, user: EntityMetadata) {
    this.#use = use;
    this.#appInput = appInput;
    const names = appInput ? addedFieldsOf(appInput) : [];
    const faults = names.flatMap((name) => faultOf(name, user) ?? []);
    if (faults.length > 0) throw new TypeError(`inputs.${use}: ${faults.join('; ')}`);
    this.#properties = names.map((name) => user.properties[name] as EntityProperty);
  }

  /**
   * The class from which an input is created: the app's class, or else the library's. @throws TypeError if the app's
   * does not extend it
   */
  typeOf<T extends object>(base: new () => T): new () => T {
    const appInput = this.#appInput;
    if (appInput && !(appInput.prototype instanceof base)) {
      throw new TypeError(`inputs.${this.#use}: ${appInput.name} does not extend ${base.name}`);
    }
    return (appInput as (new () => T) | undefined) ?? base;
  }

  /** Whether the app adds fields. */
  get isExtended(): boolean {
    return this.#properties.length > 0;
  }

  /** The fields that are returned to the user. */
  get shown(): ShownField[] {
    const input = this.#appInput;
    if (!input) return [];
    const shown = this.#properties.filter(({ hidden, lazy }) => !hidden && !lazy);
    return shown.map(({ name, nullable = false }) => ({ name, input, isNullable: nullable }));
  }

  /**
   * The values of the added fields in an input.
   *
   * @param body the received body. Fields that it does not contain are left out, even if the class has defaults
   * @throws validation_failed for null if the column is not nullable
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
  if (LIBRARY_PROPERTIES.includes(name))
    return `a field "${name}" would change a property that only the library may write`;
  const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
  const isStored = property?.kind === ReferenceKind.SCALAR && property.persist !== false && !property.formula;
  if (isStored && !property.primary && !property.version) return undefined;
  return `${className} has no stored property "${name}" for this field`;
}

/** The values of a user's fields as JSON. */
export function fieldValues(user: object, fields: readonly ShownField[]): Record<string, unknown> {
  const values = user as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    fields.map(({ name }) => [name, typeof values[name] === 'bigint' ? String(values[name]) : (values[name] ?? null)]),
  );
}
