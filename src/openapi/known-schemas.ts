import { createRequire } from 'node:module';
import { getMetadataStorage } from 'class-validator';
import { targetConstructorToSchema } from 'class-validator-jsonschema';
import { isLibraryInput } from '../http/field.decorator.js';
import type { JsonSchema } from '../http/json-schema.js';
import { mapValues } from './map-schemas.js';
import { toJsonSchema } from './schema-dialect.js';
import { SCHEMAS } from './schema-reference.js';

/** A class that is used as a type. */
export type TypeClass = abstract new (...args: never[]) => object;

/** The part of class-transformer's storage that tells the types of nested objects. */
interface TransformerStorage {
  findTypeMetadata(target: unknown, property: string): { typeFunction(): unknown } | undefined;
}

// class-transformer keeps its storage to itself; this path is what class-validator-jsonschema documents.
const load = createRequire(import.meta.url);
const { defaultMetadataStorage } = load('class-transformer/cjs/storage.js') as {
  readonly defaultMetadataStorage: TransformerStorage;
};

/**
 * The schemas that a document may have, by the names that refer to them: ours, those that the app gives, and those of
 * its classes. Rules of class-validator are kept for all of the process, so a class is looked for only when its name is
 * asked for.
 */
export class KnownSchemas {
  readonly #given: Readonly<Record<string, JsonSchema>>;
  readonly #classes = new Map<string, TypeClass>();

  /** @throws TypeError where the app gives a schema of a name of ours */
  constructor(
    private readonly own: Readonly<Record<string, JsonSchema>>,
    given: Readonly<Record<string, JsonSchema>>,
  ) {
    for (const name of Object.keys(given)) this.#refuseOwn(name);
    this.#given = mapValues(given, toJsonSchema);
  }

  /**
   * The schemas of classes that a route refers to.
   * @throws TypeError for a name that is ours, or another class's too
   */
  ofTypes(types: readonly TypeClass[]): Record<string, JsonSchema> {
    for (const type of types) this.#add(type);
    return Object.fromEntries(types.map(({ name }) => [name, this.find(name) ?? {}]));
  }

  /**
   * The schema of that name; undefined where nothing is known of it.
   * @throws TypeError where the name means two classes
   */
  find(name: string): JsonSchema | undefined {
    for (const named of [this.own, this.#given]) if (Object.hasOwn(named, name)) return named[name];
    const type = this.#classes.get(name) ?? decorated(name);
    return type && this.#schemaOf(type);
  }

  #add(type: TypeClass): void {
    this.#refuseOwn(type.name);
    const known = this.#classes.get(type.name);
    if (known && known !== type) throw twice(type.name);
    this.#classes.set(type.name, type);
  }

  #refuseOwn(name: string): void {
    if (Object.hasOwn(this.own, name)) throw new TypeError(`${name} is a schema of jwt-allauth; choose another name`);
  }

  #schemaOf(type: TypeClass): JsonSchema {
    this.#add(type);
    for (const nested of nestedIn(type)) if (!Object.hasOwn(this.#given, nested.name)) this.#add(nested);
    const schema = targetConstructorToSchema(type, {
      classValidatorMetadataStorage: getMetadataStorage(),
      classTransformerMetadataStorage: defaultMetadataStorage as never,
      refPointerPrefix: SCHEMAS,
    });
    return Object.keys(schema).length > 0 ? toJsonSchema({ ...schema }) : { type: 'object' };
  }
}

/** The one class of the app that has rules and this name. */
function decorated(name: string): TypeClass | undefined {
  const { validationMetadatas } = getMetadataStorage() as unknown as {
    readonly validationMetadatas: ReadonlyMap<unknown, unknown>;
  };
  const classes = [...validationMetadatas.keys()].filter((key) => typeof key === 'function') as unknown as TypeClass[];
  const [type, other] = classes.filter((each) => each.name === name && !isLibraryInput(each));
  if (other) throw twice(name);
  return type;
}

/** The classes to which the schema of a class will refer. */
function nestedIn(type: TypeClass): TypeClass[] {
  const rules = getMetadataStorage().getTargetValidationMetadatas(type, '', true, false);
  const types = rules.map(({ target, propertyName }) => {
    const prototype = typeof target === 'function' ? target.prototype : {};
    const explicit = defaultMetadataStorage.findTypeMetadata(target, propertyName);
    return explicit ? explicit.typeFunction() : Reflect.getMetadata('design:type', prototype, propertyName);
  });
  return types.filter(isTypeClass);
}

/** Whether a value is a class that gets a schema of its own. */
export function isTypeClass(type: unknown): type is TypeClass {
  return typeof type === 'function' && !BUILT_IN.has(type) && type.name !== '';
}

const BUILT_IN: ReadonlySet<unknown> = new Set([
  String,
  Number,
  Boolean,
  BigInt,
  Symbol,
  Object,
  Array,
  Date,
  Function,
  Promise,
  Map,
  Set,
  Buffer,
]);

function twice(name: string): TypeError {
  return new TypeError(`two classes are named ${name}, and the document can have one; rename one, or give schemas`);
}
