import { Authorized, Get, JsonController, UseBefore } from 'routing-controllers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LoadUser, SessionCheck } from '../../src/index.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

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

@SessionCheck('database')
abstract class Checked {}

abstract class MarkedMethods {
  @SessionCheck('database')
  checked() {}

  @LoadUser()
  loaded() {}
}

const pass = (_request: unknown, _response: unknown, next: () => void) => next();

test('a start is refused if the base class has a @SessionCheck, even if the controller has another @UseBefore', () => {
  @UseBefore(pass)
  @JsonController('/m')
  class Unchecked extends Checked {
    @Get('/x')
    x() {}
  }
  expect(start(Unchecked)).toThrow(/Unchecked extends Checked, whose @SessionCheck is not inherited/);
});

test('a start is refused if an overriding action loses its decorator, even if it has another one', () => {
  @JsonController('/n')
  class Unchecked extends MarkedMethods {
    @LoadUser()
    @Get('/x')
    override checked() {}
  }
  @JsonController('/o')
  class Unloaded extends MarkedMethods {
    @SessionCheck('none')
    @Get('/x')
    override loaded() {}
  }
  expect(start(Unchecked)).toThrow(/whose @SessionCheck is not inherited/);
  expect(start(Unloaded)).toThrow(/whose @LoadUser is not inherited/);
});

test('a start is refused for two @SessionCheck in one place, and accepted for one in each place', () => {
  @JsonController('/p')
  class Twice {
    @SessionCheck('none')
    @SessionCheck('database')
    @Get('/x')
    x() {}
  }
  @Authorized()
  @SessionCheck('none')
  @JsonController('/q')
  class Both extends Checked {
    @SessionCheck('database')
    @Get('/x')
    x() {}
  }
  expect(start(Twice)).toThrow('@SessionCheck is used more than once on Twice.x');
  expect(start(Both)).not.toThrow();
});

test('a start is refused for a controller whose @Authorized is only on the base class', () => {
  @JsonController('/a')
  class Unguarded extends StaffOnly {
    @Get('/x')
    x() {}
  }
  expect(start(Unguarded)).toThrow(/Unguarded extends StaffOnly, whose @Authorized is not inherited/);
});

test('a start is refused for a routed method whose @Authorized is only in the base class', () => {
  @JsonController('/b')
  class Overriding extends GuardedMethod {
    @Get('/')
    override list() {
      return super.list();
    }
  }
  expect(start(Overriding)).toThrow(/Overriding extends GuardedMethod, whose @Authorized is not inherited/);
});

test.each([
  ['UseBefore', Guarded],
  ['LoadUser', Loading],
])('a start is refused for a controller whose base class has a @%s', (guard, Base) => {
  @JsonController('/c')
  class Unguarded extends (Base as Class) {
    @Get('/x')
    x() {}
  }
  expect(start(Unguarded)).toThrow(`whose @${guard} is not inherited`);
});

test('a controller with its own @Authorized is accepted if its base class has one as well', () => {
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
  expect(start(Mistyped)).toThrow(/accepts only role numbers and predicates/);
});

test('a start is refused for @SessionCheck or @LoadUser without @Authorized, on an action or on the controller', () => {
  @JsonController('/r')
  class OnMethod {
    @LoadUser()
    @Get('/x')
    x() {}
  }
  @SessionCheck('database')
  @JsonController('/s')
  class OnClass {
    @Authorized()
    @Get('/x')
    x() {}

    @Get('/y')
    y() {}
  }
  @Authorized()
  @JsonController('/t')
  class Guarded {
    @SessionCheck('database')
    @LoadUser()
    @Get('/x')
    x() {}
  }
  expect(start(OnMethod)).toThrow('OnMethod.x has @LoadUser without @Authorized');
  expect(start(OnClass)).toThrow('OnClass.y has @SessionCheck without @Authorized');
  expect(start(Guarded)).not.toThrow();
});
