/** Maps a property of `Settings` to the name that the operator used: the environment variable, or the property. */
export type NameOf = (property: string) => string;

const names = new WeakMap<object, NameOf>();

/** Stores how the source of the settings names them, for faults that are found later. */
export function rememberNames(settings: object, nameOf: NameOf): void {
  names.set(settings, nameOf);
}

/** The stored names of settings. Default: the properties. */
export function namesOf(settings: object): NameOf {
  return names.get(settings) ?? ((property) => property);
}

/** Replaces each `{property}` in a message by the name of that setting. */
export function withNames(message: string, nameOf: NameOf): string {
  return message.replace(/\{([a-z][A-Za-z]*)\}/g, (_, property) => nameOf(property));
}
