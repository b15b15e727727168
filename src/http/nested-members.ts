/** A value inside another value, with its name. */
export interface Member {
  readonly name: string;
  readonly value: unknown;
  /** The member that contains it; undefined for a member of the root. */
  readonly owner?: Member;
}

/**
 * All values nested in a value, breadth first: properties of every kind, entries of maps, items of sets, and bytes as
 * text. The members of an object are listed once, so that cycles end. Getters are not called, because they may have
 * side effects.
 */
export function* nestedMembers(root: unknown): Generator<Member> {
  const seen = new Set([root]);
  const owners: { readonly object: unknown; readonly member?: Member }[] = [{ object: root }];
  for (const { object, member: owner } of owners) {
    if (!isObject(object)) continue;
    for (const [name, value] of membersOf(object)) {
      const member = { name, value, owner };
      yield member;
      if (!isObject(value) || seen.has(value)) continue;
      seen.add(value);
      owners.push({ object: value, member });
    }
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function membersOf(object: object): [name: string, value: unknown][] {
  if (object instanceof Uint8Array) return [['', Buffer.from(object).toString()]];
  const entries =
    object instanceof Map ? [...object] : object instanceof Set ? [...object].map((each) => ['', each]) : [];
  const properties = Reflect.ownKeys(object).map((key) => [key, Object.getOwnPropertyDescriptor(object, key)?.value]);
  return [...entries, ...properties].map(([name, value]) => [String(name), value]);
}
