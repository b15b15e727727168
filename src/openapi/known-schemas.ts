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

/** The part of class-transformer's storage that knows the types of nested objects. */
interface TransformerStorage {
  findTypeMetadata(target: unknown, property: string): { typeFunction(): unknown } | undefined;
}

// class-transformer does not export its storage; class-validator-jsonschema documents this path.
const load = createRequire(import.meta.url);
const { defaultMetadataStorage } = load('class-transformer/cjs/storage.js') as {
  readonly defaultMetadataStorage: TransformerStorage;
};

/**
 * The schemas that a document can refer to by name: those of the library, those that the app passes, and those of the
 * app's classes. class-validator keeps rules for the whole process, so a class is looked up only when its name is used.
 */
export class KnownSchemas {
  readonly #given: Readonly<Record<string, JsonSchema>>;
  readonly #classes = new Map<string, TypeClass>();

  /** @throws TypeError if the app passes a schema with a name of the library */
  constructor(
    private readonly librarySchemas: Readonly<Record<string, JsonSchema>>,
    given: Readonly<Record<string, JsonSchema>>,
  ) {
    for (const name of Object.keys(given)) this.#refuseLibraryName(name);
    this.#given = mapValues(given, toJsonSchema);
  }

  /**
   * The schemas of classes that a route refers to.
   * @throws TypeError for a name of the library, or a name that two classes have
   */
  ofTypes(types: readonly TypeClass[]): Record<string, JsonSchema> {
    for (const type of types) this.#add(type);
    return Object.fromEntries(types.map(({ name }) => [name, this.find(name) ?? {}]));
  }

  /**
   * The schema of this name; undefined if it is unknown.
   * @throws TypeError if two classes have the name
   */
  find(name: string): JsonSchema | undefined {
    for (const named of [this.librarySchemas, this.#given]) if (Object.hasOwn(named, name)) return named[name];
    const type = this.#classes.get(name) ?? classNamed(name);
    return type && this.#schemaOf(type);
  }

  #add(type: TypeClass): void {
    this.#refuseLibraryName(type.name);
    const known = this.#classes.get(type.name);
    if (known && known !== type) throw duplicateName(type.name);
    this.#classes.set(type.name, type);
  }

  #refuseLibraryName(name: string): void {
    if (Object.hasOwn(this.librarySchemas, name))
      throw new TypeError(`the schema name ${name} belongs to jwt-allauth; choose another name`);
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

/** The only class of the app that has this name and validation rules. */
function classNamed(name: string): TypeClass | undefined {
  const { validationMetadatas } = getMetadataStorage() as unknown as {
    readonly validationMetadatas: ReadonlyMap<unknown, unknown>;
  };
  const classes = [...validationMetadatas.keys()].filter((key) => typeof key === 'function') as unknown as TypeClass[];
  const [type, other] = classes.filter((each) => each.name === name && !isLibraryInput(each));
  if (other) throw duplicateName(name);
  return type;
}

/** The classes to which the schema of a class refers. */
function nestedIn(type: TypeClass): TypeClass[] {
  const rules = getMetadataStorage().getTargetValidationMetadatas(type, '', true, false);
  const types = rules.map(({ target, propertyName }) => {
    const prototype = typeof target === 'function' ? target.prototype : {};
    const explicit = defaultMetadataStorage.findTypeMetadata(target, propertyName);
    return explicit ? explicit.typeFunction() : Reflect.getMetadata('design:type', prototype, propertyName);
  });
  return types.filter(isTypeClass);
}

/** Whether a value is a class with a schema of its own. */
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

function duplicateName(name: string): TypeError {
  return new TypeError(
    `two classes are named ${name}, but a document can have only one; rename one, or pass it in schemas`,
  );
}
