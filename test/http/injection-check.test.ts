import { createRequire } from 'node:module';
import { Get, getMetadataArgsStorage, JsonController, useContainer } from 'routing-controllers';
import { Container, Service } from 'typedi';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ErrorCode } from '../../src/index.js';
import { useContainers } from '../support/containers.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

type Class = new (...args: never[]) => object;

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterEach(useContainers);
afterAll(() => app.close());

const start = (...controllers: Class[]) => app.auth.serverOptions({ controllers });
const refusal = (message: RegExp) =>
  expect.objectContaining({ code: ErrorCode.ControllerRefused, detail: expect.stringMatching(message) });

@Service()
class Orders {}

/** Decorates as a compiler without metadata does: tsx and esbuild call the decorators and emit no types. */
function withoutMetadata<T extends Class>(type: T): T {
  Reflect.deleteMetadata('design:paramtypes', type);
  return type;
}

describe('constructor injection', () => {
  test('with metadata is accepted, and so is a class without parameters', () => {
    @Service()
    @JsonController('/with')
    class With {
      constructor(readonly orders: Orders) {}

      @Get('/')
      get() {
        return {};
      }
    }
    expect(() => start(With)).not.toThrow();
    expect(() => start(withoutMetadata(Orders))).not.toThrow();
  });

  test('without metadata refuses the start, with the cause and the remedy, unless the instance was registered', () => {
    @Service()
    @JsonController('/without')
    class Without {
      constructor(readonly orders: Orders) {}
    }
    withoutMetadata(Without);
    expect(() => start(Without)).toThrow(refusal(/^Without has constructor parameters but no decorator metadata/));
    expect(() => start(Without)).toThrow(refusal(/emitDecoratorMetadata.*@Inject\(\(\) => Service\)$/));
    Container.set(Without, new Without(new Orders()));
    expect(() => start(Without)).not.toThrow();
    Container.remove(Without);
  });

  test('without metadata in a service refuses the start too', () => {
    @Service()
    class Shop {
      constructor(readonly orders: Orders) {}
    }
    withoutMetadata(Shop);
    expect(() => start()).toThrow(refusal(/^Shop has constructor parameters/));
    Container.remove(Shop);
    expect(() => start()).not.toThrow();
  });

  test('without metadata is accepted with a container other than TypeDI', () => {
    class Own {
      constructor(readonly orders: Orders) {}
    }
    useContainer({
      get: (type: Class) => (type === (Own as Class) ? new Own(new Orders()) : new (type as new () => object)()),
    } as never);
    expect(() => start(Own)).not.toThrow();
  });
});

describe('a container that', () => {
  test.each<[what: string, get: () => unknown]>([
    [
      'throws for',
      () => {
        throw new Error('No matching bindings found');
      },
    ],
    ['has nothing for', () => undefined],
    ['has something else for', () => ({})],
  ])('%s unknown classes refuses the start', (_, get) => {
    useContainer({ get } as never);
    expect(() => start()).toThrow(
      refusal(/^the container passed to useContainer does not know the library's classes; use TypeDI's/),
    );
  });

  test('has a fallback is accepted', () => {
    useContainer(
      {
        get: () => {
          throw new Error('unknown');
        },
      } as never,
      { fallback: true, fallbackOnErrors: true },
    );
    expect(() => start()).not.toThrow();
  });
});

/** Loads a package a second time, as from another node_modules folder. */
function secondCopy(name: string): Record<string, never> {
  const require = createRequire(import.meta.url);
  const own = Object.entries(require.cache).filter(([file]) => file.includes(`/node_modules/${name}/`));
  for (const [file] of own) Reflect.deleteProperty(require.cache, file);
  const copy = require(name);
  for (const file of Object.keys(require.cache))
    if (file.includes(`/node_modules/${name}/`)) Reflect.deleteProperty(require.cache, file);
  for (const [file, module] of own) require.cache[file] = module;
  return copy;
}

describe('two copies of', () => {
  test("typedi refuse the start, and the error has the path of the library's copy", () => {
    const { Container: other } = secondCopy('typedi');
    expect(other).not.toBe(Container);
    useContainer(other as never);
    expect(() => start()).toThrow(
      refusal(/^the container passed to useContainer comes from another copy of typedi than the library's \(.*typedi/),
    );
  });

  test('routing-controllers refuse the start, whichever was used first', () => {
    const { MetadataArgsStorage: Other } = secondCopy('routing-controllers') as unknown as {
      MetadataArgsStorage: new () => object;
    };
    const ours = getMetadataArgsStorage();
    const scope = globalThis as { routingControllersMetadataArgsStorage?: unknown };
    scope.routingControllersMetadataArgsStorage = Object.assign(new Other(), ours);
    expect(() => start()).toThrow(refusal(/^there are two copies of routing-controllers/));
    scope.routingControllersMetadataArgsStorage = ours;
    const { cache } = createRequire(import.meta.url);
    const file = '/elsewhere/node_modules/routing-controllers/cjs/index.js';
    cache[file] = { id: file } as never;
    expect(() => start()).toThrow(refusal(/routing-controllers \(.*\/elsewhere\/node_modules\/routing-controllers/));
    Reflect.deleteProperty(cache, file);
    expect(() => start()).not.toThrow();
  });
});
