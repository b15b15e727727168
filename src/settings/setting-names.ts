/** Maps a property of `Settings` to the name that the operator used: the environment variable, or the property. */
export type NameOf = (property: string) => string;

/** The key under which settings carry their names. A spread copies it, and `Object.entries` ignores it. */
export const NAMES = Symbol('names');

/** How the source of some settings names them. All state is private, so that settings with equal values are equal. */
class SourceNames {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #nameOf: NameOf;

  constructor(settings: object, nameOf: NameOf) {
    this.#values = { ...settings };
    this.#nameOf = nameOf;
  }

  /** The name of a setting. A value that the app has replaced since has the name of the property. */
  of(settings: object, property: string): string {
    const value = (settings as Readonly<Record<string, unknown>>)[property];
    return value === this.#values[property] ? this.#nameOf(property) : property;
  }
}

interface Named {
  [NAMES]?: SourceNames;
}

/** Stores how the source of the settings names them, for faults that are found later, also after a spread. */
export function rememberNames(settings: object, nameOf: NameOf): void {
  (settings as Named)[NAMES] = new SourceNames(settings, nameOf);
}

/** The stored names of settings. Default: the properties. */
export function namesOf(settings: object): NameOf {
  const names = (settings as Named)[NAMES];
  return names ? (property) => names.of(settings, property) : (property) => property;
}

/** Replaces each `{property}` in a message by the name of that setting. */
export function withNames(message: string, nameOf: NameOf): string {
  return message.replace(/\{([a-z][A-Za-z]*)\}/g, (_, property) => nameOf(property));
}
