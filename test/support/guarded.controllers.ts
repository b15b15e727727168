import type { MikroORM } from '@mikro-orm/postgresql';
import { Authorized, Body, CurrentUser, Get, JsonController, Post } from 'routing-controllers';
import { Service } from 'typedi';
import { type AccessPredicate, EmailVerified, LoadUser, Principal, Role } from '../../src/index.js';
import { AppUser } from './users.js';

const PUBLISHER = 700;
const EDITOR = 300;

/** How often an action ran that must not run. */
export const ran: string[] = [];
const run = (name: string) => {
  ran.push(name);
  return { ran: name };
};

const later = (value: unknown) => (async () => value) as unknown as AccessPredicate;
const rejecting = (reason: unknown) => (async () => Promise.reject(reason)) as AccessPredicate;
const throwing = (reason: unknown) =>
  (() => {
    throw reason;
  }) as AccessPredicate;

/** Predicates that must never let anybody through, by the resulting status. */
const REFUSING: Readonly<Record<string, [status: number, predicate: AccessPredicate]>> = {
  false: [403, () => false],
  'false, later': [403, later(false)],
  undefined: [403, (() => undefined) as unknown as AccessPredicate],
  'undefined, later': [403, later(undefined)],
  'a text': [403, (() => 'yes') as unknown as AccessPredicate],
  'a text, later': [403, later('yes')],
  'the number 1': [403, (() => 1) as unknown as AccessPredicate],
  'an object, later': [403, later({})],
  'an error as its value': [403, later(new Error('no'))],
  'a thrown error': [500, throwing(new Error('broken'))],
  'a rejection with an error': [500, rejecting(new Error('broken'))],
  'a rejection with a text': [500, rejecting('broken')],
  'a rejection with undefined': [500, rejecting(undefined)],
  'a rejection with null': [500, rejecting(null)],
  'a rejection with an empty text': [500, rejecting('')],
  'a rejection with 0': [500, rejecting(0)],
  'a rejection with false': [500, rejecting(false)],
  'a rejection with what Express takes for a command': [500, rejecting('route')],
  'undefined thrown at once': [500, throwing(undefined)],
};

/** Name, path and expected status of each route behind a predicate that refuses. */
export const REFUSALS = Object.entries(REFUSING).map(
  ([what, [status]], index) => [what, `/refused/${index}`, status] as const,
);

@Service()
@JsonController('/refused')
export class RefusingController {}

for (const [index, [what, [, predicate]]] of Object.entries(REFUSING).entries()) {
  const method = `refused${index}`;
  Object.defineProperty(RefusingController.prototype, method, { value: () => run(what), enumerable: false });
  Get(`/${index}`)(RefusingController.prototype, method);
  Authorized(predicate)(RefusingController.prototype, method);
}

@Service()
@JsonController('/guarded')
export class GuardedController {
  @Authorized()
  @Get('/anybody')
  anybody() {
    return run('anybody');
  }

  @Authorized([])
  @Get('/no-rules')
  noRules() {
    return run('no-rules');
  }

  @Authorized(PUBLISHER)
  @Post('/publish')
  publish() {
    return run('publish');
  }

  @Authorized([Role.USER])
  @Get('/users')
  users() {
    return run('users');
  }

  @Authorized([PUBLISHER, EDITOR])
  @Get('/any-of-two')
  anyOfTwo() {
    return run('any-of-two');
  }

  @Authorized(Role.STAFF)
  @Get('/staff')
  staff() {
    return run('staff');
  }

  @Authorized(EmailVerified)
  @Get('/verified')
  verified() {
    return run('verified');
  }

  @Authorized([EmailVerified, PUBLISHER])
  @Get('/verified-publisher')
  verifiedPublisher() {
    return run('verified-publisher');
  }

  @Authorized([EmailVerified, (principal: Principal) => Array.isArray(principal.claims['permissions'])])
  @Get('/two-predicates')
  twoPredicates() {
    return run('two-predicates');
  }

  @Authorized(later(true))
  @Get('/later')
  later() {
    return run('later');
  }
}

@Service()
@Authorized(EmailVerified)
@JsonController('/club')
export class ClubController {
  @Get('/hall')
  hall() {
    return run('hall');
  }

  @Authorized(PUBLISHER)
  @Get('/desk')
  desk() {
    return run('desk');
  }
}

@Service()
@Authorized(EDITOR)
@JsonController('/desk')
export class DeskController {
  @Authorized(PUBLISHER)
  @Get('/either')
  either() {
    return run('either');
  }
}

/** Lets a request through by all data that a predicate may read of it. */
const asksForOwn: AccessPredicate = ({ id }, { method, path, params, query, headers, body }) =>
  id !== '' &&
  method === 'POST' &&
  path === '/asked/a' &&
  params['account'] === 'a' &&
  query['dry'] === 'true' &&
  headers['x-tenant'] === 'north' &&
  (body as { account?: unknown }).account === 'a';

@Service()
@JsonController('/asked')
export class AskedController {
  @Authorized(asksForOwn)
  @Post('/:account')
  asked(@Body() _: object) {
    return run('asked');
  }
}

@Service()
@JsonController('/me')
export class MeController {
  @Get('/maybe')
  maybe(@CurrentUser() principal?: Principal) {
    return { type: typeof principal, id: principal?.id ?? null };
  }

  @Get('/required')
  required(@CurrentUser({ required: true }) principal: Principal) {
    return { id: principal.id };
  }

  @Authorized()
  @Get('/principal')
  principal(@CurrentUser() principal: Principal) {
    const { id, session, role, emailVerified, claims } = principal;
    return { isPrincipal: principal instanceof Principal, id, session, role, emailVerified, claims };
  }

  @Authorized()
  @Get('/twice')
  twice(@CurrentUser() one: Principal, @CurrentUser() two: Principal) {
    return { isSame: one === two };
  }

  @Authorized()
  @LoadUser()
  @Get('/user')
  user(@CurrentUser() user: AppUser) {
    return { isUser: user instanceof AppUser, email: user.email, permissions: user.permissions };
  }

  @Authorized()
  @LoadUser()
  @Get('/user-twice')
  userTwice(@CurrentUser() one: AppUser, @CurrentUser() two: AppUser) {
    return { isSame: one === two, email: one.email };
  }

  @Authorized()
  @LoadUser()
  @Get('/unused-user')
  unusedUser() {
    return run('unused-user');
  }

  @Authorized(PUBLISHER)
  @LoadUser()
  @Get('/publisher')
  publisher(@CurrentUser() user: AppUser) {
    return { email: user.email };
  }
}

@Service()
@Authorized()
@LoadUser()
@JsonController('/loaded')
export class LoadedController {
  @Get('/one')
  one(@CurrentUser() user: AppUser) {
    return { isUser: user instanceof AppUser };
  }
}

/** A controller that changes the loaded user through the app's ORM. */
export function createRenamingController(orm: () => MikroORM) {
  @Service()
  @JsonController('/rename')
  class RenamingController {
    @Authorized()
    @LoadUser()
    @Post('/')
    async rename(@CurrentUser() user: AppUser) {
      user.firstName = 'Renamed';
      await orm().em.flush();
      return {
        isManaged:
          orm()
            .em.getUnitOfWork()
            .getById(AppUser.name as never, user.id) === user,
      };
    }
  }
  return RenamingController;
}
