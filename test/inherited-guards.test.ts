import { Authorized, Get, JsonController, UseBefore } from 'routing-controllers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LoadUser } from '../src/index.js';
import { createTestApp, type TestApp } from './support/test-app.js';

type Class = new () => object;

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.close());

const start = (controller: Class) => () => app.auth.serverOptions({ controllers: [controller] });

@Authorized(1000)
abstract class StaffOnly {}

@UseBefore((_request: unknown, _response: unknown, next: () => void) => next())
abstract class Guarded {}

@LoadUser()
abstract class Loading {}

abstract class GuardedMethod {
  @Authorized(1000)
  list() {
    return [];
  }
}

test('a start is refused for a controller whose base class has the @Authorized', () => {
  @JsonController('/a')
  class Unguarded extends StaffOnly {
    @Get('/x')
    x() {}
  }
  expect(start(Unguarded)).toThrow(/Unguarded extends StaffOnly, whose @Authorized it would lose/);
});

test('a start is refused for a routed method whose @Authorized stands in the base class', () => {
  @JsonController('/b')
  class Overriding extends GuardedMethod {
    @Get('/')
    override list() {
      return super.list();
    }
  }
  expect(start(Overriding)).toThrow(/Overriding extends GuardedMethod, whose @Authorized it would lose/);
});

test.each([Guarded, Loading])('a start is refused for a controller whose base class has a @UseBefore', (Base) => {
  @JsonController('/c')
  class Unguarded extends (Base as Class) {
    @Get('/x')
    x() {}
  }
  expect(start(Unguarded)).toThrow(/whose @UseBefore it would lose/);
});

test('a controller that has its own @Authorized beside that of its base class is accepted', () => {
  @Authorized(1000)
  @JsonController('/d')
  class Own extends StaffOnly {
    @Get('/x')
    x() {}
  }
  expect(start(Own)).not.toThrow();
});

test('a start is refused for @Authorized(null), which would let everybody in', () => {
  @JsonController('/e')
  class Mistyped {
    @Authorized(null)
    @Get('/x')
    x() {}
  }
  expect(start(Mistyped)).toThrow(/takes role numbers and predicates/);
});
