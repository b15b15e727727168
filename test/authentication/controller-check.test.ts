import { Authorized, Controller, CurrentUser, Get, JsonController, Param, Post } from 'routing-controllers';
import { Service } from 'typedi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BaseUser, EmailVerified, ErrorCode, JwtAllauthError, LoadUser, Principal, User } from '../../src/index.js';
import { expectProblemDetails } from '../support/problem-details.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { AppUser } from '../support/users.js';

type Class = new () => object;

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.close());

/** The error that starting with these controllers throws. */
function refusalOf(...controllers: unknown[]): JwtAllauthError {
  try {
    app.auth.serverOptions({ controllers: controllers as Class[] });
  } catch (error) {
    expect(error).toBeInstanceOf(JwtAllauthError);
    expect((error as JwtAllauthError).code).toBe(ErrorCode.ControllerRefused);
    return error as JwtAllauthError;
  }
  throw new Error('the controllers were accepted');
}

@JsonController('/base')
class Base {
  @Authorized()
  @Get('/secret')
  secret() {
    return {};
  }

  @Authorized()
  @Get('/other')
  other() {
    return {};
  }
}

abstract class PlainBase {
  protected greet() {
    return { greeting: 'hello' };
  }
}

describe('a start is refused for a controller that', () => {
  test('inherits routed actions, which would lose their @Authorized', () => {
    @JsonController('/child')
    class Child extends Base {}
    expect(refusalOf(Child).detail).toMatch(/Child extends Base and inherits secret, other/);
  });

  test('inherits routed actions from a class further up', () => {
    class Middle extends Base {}
    @JsonController('/grandchild')
    class Grandchild extends Middle {}
    expect(refusalOf(Grandchild).detail).toMatch(/Grandchild extends Base and inherits secret, other/);
  });

  test('inherits some routed actions and declares others again', () => {
    @JsonController('/partly')
    class Partly extends Base {
      @Authorized()
      @Get('/secret')
      override secret() {
        return {};
      }
    }
    expect(refusalOf(Partly).detail).toMatch(/Partly extends Base and inherits other;/);
  });

  test('overrides a routed action without its own route', () => {
    @JsonController('/undecorated')
    class Undecorated extends Base {
      override secret() {
        return {};
      }

      override other() {
        return {};
      }
    }
    expect(refusalOf(Undecorated).detail).toMatch(/inherits secret, other/);
  });

  test('inherits from a class that is not a controller but has routes', () => {
    abstract class Crud {
      @Authorized()
      @Get('/')
      list() {
        return [];
      }
    }
    @Controller('/crud')
    class Crude extends Crud {}
    expect(refusalOf(Crude).detail).toMatch(/Crude extends Crud and inherits list/);
  });

  test('inherits routed actions and comes after a valid controller in the list', () => {
    @JsonController('/last')
    class Last extends Base {}
    expect(refusalOf(Base, Last).detail).toContain('Last extends Base');
  });

  test.each<[what: string, rules: unknown, complaint: RegExp]>([
    ['a text', 'admin', /role numbers and predicates/],
    ['an empty text', '', /role numbers and predicates/],
    ['a number as text', '700', /role numbers and predicates/],
    ['false', false, /role numbers and predicates/],
    ['true', true, /role numbers and predicates/],
    ['a bigint', 700n, /role numbers and predicates/],
    ['an object', { role: 700 }, /role numbers and predicates/],
    ['an undefined in a list', [700, undefined], /role numbers and predicates/],
    ['nothing but an undefined in a list', [undefined], /role numbers and predicates/],
    ['a null in a list', [null], /role numbers and predicates/],
    ['a text in a list', [700, 'admin'], /role numbers and predicates/],
    ['a list in a list', [[700]], /role numbers and predicates/],
    ['role 0 outside of a list', 0, /role 0 .* write @Authorized\(\[0\]\)/],
    ['role -0 outside of a list', -0, /role 0 .* write @Authorized\(\[0\]\)/],
    ['NaN, which Number() makes of a missing variable', Number(undefined), /.+/],
    ['NaN in a list', [700, Number('x')], /.+/],
  ])('is guarded by %s, on an action or on the class', (_, rules, complaint) => {
    @JsonController('/guarded')
    class ByAction {
      @Authorized(rules as never)
      @Get('/')
      list() {
        return [];
      }
    }
    @JsonController('/guarded')
    @Authorized(rules as never)
    class AsWhole {
      @Get('/')
      list() {
        return [];
      }
    }
    expect(refusalOf(ByAction).detail).toMatch(complaint);
    expect(refusalOf(ByAction).detail).toContain('@Authorized on ByAction.list ');
    expect(refusalOf(AsWhole).detail).toContain('@Authorized on AsWhole ');
  });

  test('has two @Authorized in one place, of which only one would take effect', () => {
    @JsonController('/two')
    class OnAction {
      @Authorized(700)
      @Authorized(EmailVerified)
      @Get('/')
      list() {
        return [];
      }
    }
    @JsonController('/two')
    @Authorized(700)
    @Authorized(EmailVerified)
    class OnClass {
      @Get('/')
      list() {
        return [];
      }
    }
    expect(refusalOf(OnAction).detail).toMatch(/OnAction\.list is used more than once/);
    expect(refusalOf(OnClass).detail).toMatch(/@Authorized on OnClass is used more than once/);
  });

  test.each([
    ['a path', './controllers/*.js'],
    ['an instance', new Base()],
    ['nothing', undefined],
    ['null', null],
  ])('is given as %s instead of a class', (_, controller) => {
    expect(refusalOf(controller).detail).toMatch(/must be passed as classes/);
  });
});

describe('a start is refused for an action that has no @LoadUser but declares its user as an entity', () => {
  const advice = /without @LoadUser.*add @LoadUser\(\), or declare a Principal/;

  test('of the app, of the library, or as the base class of all users', () => {
    @JsonController('/own')
    class OfTheApp {
      @Authorized()
      @Get('/:id')
      show(@Param('id') _: string, @CurrentUser() user: AppUser) {
        return { email: user.email };
      }
    }
    @JsonController('/base')
    class OfTheLibrary {
      @Get('/')
      show(@CurrentUser() user?: BaseUser) {
        return { email: user?.email };
      }
    }
    @JsonController('/other')
    class Ready {
      @Authorized()
      @Get('/')
      show(@CurrentUser({ required: true }) user: User) {
        return { email: user.email };
      }
    }
    expect(refusalOf(OfTheApp).detail).toMatch(/^OfTheApp\.show declares @CurrentUser\(\) as AppUser without/);
    expect(refusalOf(OfTheApp).detail).toMatch(advice);
    expect(refusalOf(OfTheLibrary).detail).toMatch(/^OfTheLibrary\.show declares @CurrentUser\(\) as BaseUser/);
    expect(refusalOf(Ready).detail).toMatch(/^Ready\.show declares @CurrentUser\(\) as User/);
  });

  test('even when another action of the controller has @LoadUser', () => {
    @JsonController('/mixed')
    class Mixed {
      @Authorized()
      @LoadUser()
      @Get('/loaded')
      loaded(@CurrentUser() user: AppUser) {
        return { email: user.email };
      }

      @Authorized()
      @Get('/bare')
      bare(@CurrentUser() user: AppUser) {
        return { email: user.email };
      }
    }
    expect(refusalOf(Mixed).detail).toMatch(/^Mixed\.bare declares/);
  });
});

describe('a start succeeds with', () => {
  test('a principal type or no type for @CurrentUser, and an entity type together with @LoadUser', () => {
    @JsonController('/declared')
    class Declared {
      @Authorized()
      @Get('/principal')
      principal(@CurrentUser() principal: Principal) {
        return { id: principal.id };
      }

      @Authorized()
      @Get('/shape')
      shape(@CurrentUser() principal: { readonly id: string }) {
        return { id: principal.id };
      }
    }
    @JsonController('/loaded')
    @Authorized()
    @LoadUser()
    class Loaded {
      @Get('/')
      show(@CurrentUser() user: AppUser) {
        return { email: user.email };
      }
    }
    expect(app.auth.serverOptions({ controllers: [Declared, Loaded] }).controllers).toContain(Loaded);
  });

  test.each<[what: string, rules: unknown]>([
    ['no rules', undefined],
    ['an empty list', []],
    ['a role', 700],
    ['a negative role', -1],
    ['role 0 in a list', [0]],
    ['a predicate', EmailVerified],
    ['an async predicate', async () => true],
    ['roles and predicates', [0, 700, EmailVerified]],
  ])('a controller that is guarded by %s', (_, rules) => {
    @JsonController('/fine')
    @Authorized(rules as never)
    class Fine {
      @Authorized(rules as never)
      @Get('/')
      list() {
        return [];
      }

      @Post('/')
      add() {
        return {};
      }
    }
    expect(app.auth.serverOptions({ controllers: [Fine] }).controllers).toContain(Fine);
  });

  test('a plain base class without routes', () => {
    @JsonController('/plain')
    class Plain extends PlainBase {
      @Get('/')
      list() {
        return this.greet();
      }
    }
    expect(app.auth.serverOptions({ controllers: [Plain] }).controllers).toContain(Plain);
  });

  test("a faulty controller that is not in the app's list", () => {
    @JsonController('/elsewhere')
    class Elsewhere {
      @Authorized('admin' as never)
      @Get('/')
      list() {
        return [];
      }
    }
    expect(app.auth.serverOptions({ controllers: [Base] }).controllers).not.toContain(Elsewhere);
  });
});

test('a controller that declares every inherited action again is accepted and protected as declared', async () => {
  @Service()
  @JsonController('/anew')
  class Anew extends Base {
    @Authorized()
    @Get('/secret')
    override secret() {
      return { secret: true };
    }

    @Authorized()
    @Get('/other')
    override other() {
      return { other: true };
    }
  }
  const started = await createTestApp({ controllers: [Anew] });
  try {
    const client = await started.signedUp();
    expectProblemDetails(await started.client().get('/anew/secret'), 401, 'not_authenticated');
    expect((await client.get('/anew/secret')).body).toEqual({ secret: true });
    expectProblemDetails(await started.client().get('/anew/other'), 401, 'not_authenticated');
    expect((await client.get('/anew/other')).body).toEqual({ other: true });
  } finally {
    await started.close();
  }
});

test.each(['authorizationChecker', 'currentUserChecker'])(
  'an %s of the app is refused, because that of the library would replace it',
  (name) => {
    const options = { [name]: () => true };
    expect(() => app.auth.serverOptions({ ...options, controllers: [] })).toThrow(`${name} is set by the library`);
    expect(() => app.auth.serverOptions({ [name]: undefined, controllers: [] })).not.toThrow();
  },
);
