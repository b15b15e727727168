import { createRequire } from 'node:module';
import { getFromContainer, getMetadataArgsStorage, MetadataArgsStorage } from 'routing-controllers';
import { Container, type ContainerInstance, ServiceNotFoundError } from 'typedi';
import { refused } from '../authentication/controller-check.js';

/** The name of TypeDI's error, in whichever copy of it. */
const NOT_FOUND = 'ServiceNotFoundError';

/** The part of a registration of TypeDI that is read here. */
interface Registration {
  readonly type?: unknown;
  readonly factory?: unknown;
  readonly value: unknown;
}

/**
 * Refuses at start what would fail at the first request: two copies of routing-controllers or TypeDI, a container that
 * does not know our classes, and constructors whose parameters TypeDI cannot find because a compiler has emitted no
 * metadata.
 *
 * @param own the container that has our classes
 * @throws controller_refused with the cause and what to do
 */
export function assertInjectionWorks(classes: readonly unknown[], own: ContainerInstance): void {
  assertOneRoutingControllers();
  assertContainerKnowsOurs(own);
  if (!isTypeDi()) return; // another container may know what to construct them with
  // TypeDI has no public list. In brackets the compiler still checks that there is one of this name.
  const services: readonly Registration[] = Container.of()['services'];
  const constructed = services.filter(({ type, factory, value }) => type && !factory && typeof value === 'symbol');
  const given = services.filter((each) => !constructed.includes(each)).map(({ type }) => type);
  for (const each of new Set([...classes, ...constructed.map(({ type }) => type)])) {
    if (typeof each === 'function' && !given.includes(each)) assertHasMetadata(each);
  }
}

function assertHasMetadata(type: object & { length?: number; name?: string }): void {
  if (!type.length || Reflect.getMetadata('design:paramtypes', type)) return;
  throw refused(
    `${type.name} has constructor parameters and no decorator metadata, so that TypeDI would give it nothing; ` +
      'compile with emitDecoratorMetadata (tsc or swc; esbuild and tsx cannot), or inject properties: ' +
      '@Inject(() => Service)',
  );
}

function assertOneRoutingControllers(): void {
  const isOurs = getMetadataArgsStorage() instanceof MetadataArgsStorage;
  const loaded = loadedCopies('routing-controllers');
  if (isOurs && loaded.length < 2) return;
  throw refused(
    `there are two copies of routing-controllers (${loaded.join(' and ')}): decorators and containers of one are ` +
      'unknown to the other; install it once, and let jwt-allauth find it as a peer (npm dedupe; in place of npm ' +
      'link install what npm pack makes)',
  );
}

/** The folders of a package from which Node has loaded its main module. */
function loadedCopies(name: string): string[] {
  const main = new RegExp(`^(.*[\\\\/]${name})[\\\\/]cjs[\\\\/]index\\.js$`);
  return Object.keys(createRequire(import.meta.url).cache).flatMap((file) => main.exec(file)?.[1] ?? []);
}

function assertContainerKnowsOurs(own: ContainerInstance): void {
  class Registered {}
  own.set({ id: Registered, type: Registered });
  try {
    const found: unknown = getFromContainer(Registered);
    if (!(found instanceof Registered)) throw new TypeError('it gave something else');
  } catch (error) {
    if (error instanceof ServiceNotFoundError) {
      throw refused(
        'createJwtAllauth was given a container of its own, and the one given to useContainer does not know what is ' +
          'in it; give both the same, or for several apps one that asks each: see "Several apps" in docs/extending.md',
      );
    }
    throw refused(
      error instanceof Error && error.name === NOT_FOUND
        ? `the container given to useContainer is of another copy of typedi than ours (${ourTypeDi()}): install it ` +
            'once, and let jwt-allauth find it as a peer (npm dedupe)'
        : "the container given to useContainer does not know our classes; give TypeDI's: useContainer(Container), " +
            'or let it construct what it does not know: { fallback: true, fallbackOnErrors: true }',
    );
  } finally {
    own.remove(Registered);
  }
}

function ourTypeDi(): string {
  return createRequire(import.meta.url).resolve('typedi');
}

/** Whether routing-controllers has our TypeDI: only that one refuses to make what was not registered, by this name. */
function isTypeDi(): boolean {
  class Stranger {}
  try {
    getFromContainer(Stranger);
    return false;
  } catch (error) {
    return error instanceof Error && error.name === NOT_FOUND;
  }
}
