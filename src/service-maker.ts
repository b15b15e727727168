import type { ContainerInstance } from 'typedi';

/** A class, whatever it is constructed with. */
export type Class<T> = new (...args: never[]) => T;

/** Makes services, or the app's subclasses of them, and registers them in TypeDI under the class of this library. */
export function serviceMaker(subclasses: readonly Class<object>[], container: ContainerInstance) {
  const used = new Set<Class<object>>();
  const make = <T extends object, A extends unknown[]>(type: new (...args: A) => T, ...args: A): T => {
    const [own, ...others] = subclasses.filter(({ prototype }) => prototype instanceof type);
    if (others.length > 0) throw new TypeError(`services: more than one extends ${type.name}`);
    if (own) used.add(own);
    const service = new ((own ?? type) as new (...args: A) => T)(...args);
    container.set({ id: type, factory: () => service });
    return service;
  };
  return Object.assign(make, {
    /** A subclass that stands in for nothing would guard nothing, in silence. */
    assertAllUsed(): void {
      const idle = subclasses.find((subclass) => !used.has(subclass));
      if (idle) throw new TypeError(`services: ${idle.name} extends no service of jwt-allauth`);
    },
  });
}

/** What `serviceMaker` returns. */
export type ServiceMaker = ReturnType<typeof serviceMaker>;
