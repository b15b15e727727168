import { useContainer } from 'routing-controllers';
import { Container, type ContainerInstance } from 'typedi';

let containers: ContainerInstance[] = [];
let count = 0;

/** A container for one app of the process, which routing-controllers asks for what is in it. */
export function ownContainer(name: string): ContainerInstance {
  const container = Container.of(`${name} ${process.pid} ${Date.now()} ${++count}`);
  containers.push(container);
  return container;
}

/** Forgets a container and what is in it. */
export function dropContainer(container: ContainerInstance): void {
  containers = containers.filter((each) => each !== container);
  container.reset({ strategy: 'resetServices' });
}

/** Lets routing-controllers ask the containers of all apps, and TypeDI's own for the controllers of the tests. */
export function useContainers(): void {
  useContainer({ get: (type) => (containers.find((each) => each.has(type)) ?? Container).get(type) });
}
