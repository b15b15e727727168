/** Gives the name under which an operator knows a setting: the environment variable, or the property. */
export type NameOf = (property: string) => string;

const names = new WeakMap<object, NameOf>();

/** Remembers how the settings were named where they came from, for faults that are found later. */
export function rememberNames(settings: object, nameOf: NameOf): void {
  names.set(settings, nameOf);
}

/** The names of settings: those that were remembered, else the properties. */
export function namesOf(settings: object): NameOf {
  return names.get(settings) ?? ((property) => property);
}

/** A message with the names of other settings in the place of `{property}`. */
export function withNames(message: string, nameOf: NameOf): string {
  return message.replace(/\{([a-z][A-Za-z]*)\}/g, (_, property) => nameOf(property));
}
