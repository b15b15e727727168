import { useContainer } from 'routing-controllers';
import { Container, type ContainerInstance } from 'typedi';

const containers: ContainerInstance[] = [];

/** A container for one app of the process, which routing-controllers asks for what is in it. */
export function ownContainer(name: string): ContainerInstance {
  const container = Container.of(name);
  containers.push(container);
  return container;
}

/** Lets routing-controllers ask the containers of all apps, and TypeDI's own for the controllers of the tests. */
export function useContainers(): void {
  useContainer({ get: (type) => (containers.find((each) => each.has(type)) ?? Container).get(type) });
}
