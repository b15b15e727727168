import { useContainer } from 'routing-controllers';
import { Container, type ContainerInstance } from 'typedi';

let containers: ContainerInstance[] = [];
let count = 0;

/** A container for one app of the process, which routing-controllers uses for the classes in it. */
export function ownContainer(name: string): ContainerInstance {
  const container = Container.of(`${name} ${process.pid} ${Date.now()} ${++count}`);
  containers.push(container);
  return container;
}

/** Removes a container and its contents. */
export function dropContainer(container: ContainerInstance): void {
  containers = containers.filter((each) => each !== container);
  container.reset({ strategy: 'resetServices' });
}

/** Lets routing-controllers use the containers of all apps, and TypeDI's own for the controllers of the tests. */
export function useContainers(): void {
  useContainer({ get: (type) => (containers.find((each) => each.has(type)) ?? Container).get(type) });
}
