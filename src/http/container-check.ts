import { createRequire } from 'node:module';
import { getFromContainer, getMetadataArgsStorage, MetadataArgsStorage } from 'routing-controllers';
import { Container, type ContainerInstance, ServiceNotFoundError } from 'typedi';
import { refused } from '../authentication/controller-check.js';

/** The name of TypeDI's error for a class that it does not know: the same in every copy of the package. */
const NOT_FOUND = 'ServiceNotFoundError';

/** The parts of a TypeDI registration that are read here. */
interface Registration {
  readonly type?: unknown;
  readonly factory?: unknown;
  readonly value: unknown;
}

/**
 * Finds at start-up what would fail at the first request: two copies of routing-controllers or TypeDI, a container that
 * does not know the library's classes, and constructors whose parameters TypeDI cannot find because the compiler
 * emitted no metadata.
 *
 * @param libraryContainer the container with the library's classes
 * @throws controller_refused; the detail names the cause and the remedy
 */
export function assertInjectionWorks(classes: readonly unknown[], libraryContainer: ContainerInstance): void {
  assertOneRoutingControllers();
  assertContainerKnowsLibrary(libraryContainer);
  if (!isTypeDi()) return; // another container may have its own way to construct them
  // TypeDI has no public list. With brackets the compiler still checks that the property exists.
  const services: readonly Registration[] = Container.of()['services'];
  const constructed = services.filter(({ type, factory, value }) => type && !factory && typeof value === 'symbol');
  const provided = services.filter((each) => !constructed.includes(each)).map(({ type }) => type);
  for (const each of new Set([...classes, ...constructed.map(({ type }) => type)])) {
    if (typeof each === 'function' && !provided.includes(each)) assertHasMetadata(each);
  }
}

function assertHasMetadata(type: object & { length?: number; name?: string }): void {
  if (!type.length || Reflect.getMetadata('design:paramtypes', type)) return;
  throw refused(
    `${type.name} has constructor parameters but no decorator metadata, so TypeDI cannot inject them; ` +
      'compile with emitDecoratorMetadata (tsc or swc; esbuild and tsx cannot), or inject properties: ' +
      '@Inject(() => Service)',
  );
}

function assertOneRoutingControllers(): void {
  const isSameCopy = getMetadataArgsStorage() instanceof MetadataArgsStorage;
  const loaded = loadedCopies('routing-controllers');
  if (isSameCopy && loaded.length < 2) return;
  throw refused(
    `there are two copies of routing-controllers (${loaded.join(' and ')}): decorators and containers of one are ` +
      'unknown to the other; install it once, as a peer of jwt-allauth (npm dedupe; install the result of npm pack ' +
      'instead of using npm link)',
  );
}

/** The folders from which Node has loaded the main module of a package. */
function loadedCopies(name: string): string[] {
  const main = new RegExp(`^(.*[\\\\/]${name})[\\\\/]cjs[\\\\/]index\\.js$`);
  return Object.keys(createRequire(import.meta.url).cache).flatMap((file) => main.exec(file)?.[1] ?? []);
}

function assertContainerKnowsLibrary(libraryContainer: ContainerInstance): void {
  class Registered {}
  libraryContainer.set({ id: Registered, type: Registered });
  try {
    const found: unknown = getFromContainer(Registered);
    if (!(found instanceof Registered)) throw new TypeError('it returned something else');
  } catch (error) {
    if (error instanceof ServiceNotFoundError) {
      throw refused(
        'createJwtAllauth and useContainer got different containers, so routing-controllers does not find the ' +
          'classes of the library; pass the same container to both; for several apps, pass useContainer one that ' +
          'asks the container of each app: see "Several apps" in docs/extending.md',
      );
    }
    throw refused(
      error instanceof Error && error.name === NOT_FOUND
        ? `the container passed to useContainer comes from another copy of typedi than the library's ` +
            `(${libraryTypeDi()}): install it once, as a peer of jwt-allauth (npm dedupe)`
        : "the container passed to useContainer does not know the library's classes; use TypeDI's: " +
            'useContainer(Container), or let your container construct unknown classes: { fallback: true, ' +
            'fallbackOnErrors: true }',
    );
  } finally {
    libraryContainer.remove(Registered);
  }
}

function libraryTypeDi(): string {
  return createRequire(import.meta.url).resolve('typedi');
}

/**
 * Whether routing-controllers uses the same TypeDI as the library: only TypeDI throws an error of this name for a class
 * that is not registered.
 */
function isTypeDi(): boolean {
  class Unregistered {}
  try {
    getFromContainer(Unregistered);
    return false;
  } catch (error) {
    return error instanceof Error && error.name === NOT_FOUND;
  }
}
