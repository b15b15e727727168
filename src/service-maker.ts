import type { ContainerInstance } from 'typedi';

/** The services that a class takes in its constructor. */
export type KernelOf<C extends new (kernel: never) => object> = C extends new (kernel: infer K) => object ? K : never;

/** A class with any constructor parameters. */
export type Class<T> = new (...args: never[]) => T;

/**
 * Returns a function that makes services, or the app's subclasses of them. Each is registered in TypeDI under the
 * library's class.
 */
export function serviceMaker(subclasses: readonly Class<object>[], container: ContainerInstance) {
  const used = new Set<Class<object>>();
  const make = <T extends object, A extends unknown[]>(type: new (...args: A) => T, ...args: A): T => {
    const [subclass, ...others] = subclasses.filter(({ prototype }) => prototype instanceof type);
    if (others.length > 0) throw new TypeError(`services: several classes extend ${type.name}`);
    if (subclass) used.add(subclass);
    const service = new ((subclass ?? type) as new (...args: A) => T)(...args);
    container.set({ id: type, factory: () => service });
    return service;
  };
  return Object.assign(make, {
    /** @throws TypeError for a subclass that replaces no service, and would have no effect */
    assertAllUsed(): void {
      const unused = subclasses.find((subclass) => !used.has(subclass));
      if (unused) throw new TypeError(`services: ${unused.name} extends no service of jwt-allauth`);
    },
  });
}

/** The function that `serviceMaker` returns. */
export type ServiceMaker = ReturnType<typeof serviceMaker>;
