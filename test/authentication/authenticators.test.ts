import type { IncomingMessage } from 'node:http';
import { Authorized, CurrentUser, Get, getMetadataArgsStorage, JsonController } from 'routing-controllers';
import { Service } from 'typedi';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type Authenticator,
  createAuthEntities,
  EmailVerified,
  JwtAllauthError,
  LoadUser,
  Principal,
  SessionCheck,
  UserService,
} from '../../src/index.js';
import type { AuthModule } from '../../src/module-kit.js';
import { ownContainer } from '../support/containers.js';
import { openToken, withHeader } from '../support/forge.js';
import { expectProblemDetails } from '../support/problem-details.js';
import { countQueries } from '../support/query-count.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import type { TestClient } from '../support/test-client.js';
import { AppUser, Organization } from '../support/users.js';

/** The authenticators that were called, with the credentials that they received. */
const asked: string[] = [];
/** How many times an action ran. */
let ran = 0;

const note = (name: string, { headers }: IncomingMessage) => asked.push(`${name} ${headers.authorization ?? '-'}`);

@Service()
class Owners {
  /** The key of the user that a machine's key stands for. */
  readonly byKey = new Map<string, string>();
}

/** Looks up keys through a service of the app's container. */
@Service()
class MachineKeys implements Authenticator {
  constructor(
    private readonly owners: Owners,
    private readonly users: UserService,
  ) {}

  async authenticate(request: IncomingMessage): Promise<Principal | undefined> {
    note('machine', request);
    const key = request.headers['x-machine-key'];
    if (typeof key !== 'string') return undefined;
    const sub = this.owners.byKey.get(key);
    const detail = `The machine is not known to ${this.users.table.name.length > 0}.`;
    if (sub === undefined) throw new JwtAllauthError('machine_unknown', { status: 401, detail });
    return new Principal({ sub, role: 700, email_verified: true, permissions: ['read'] }, 'machine');
  }
}

/** Behaves as `x-odd` says. */
const ODD: Readonly<Record<string, () => unknown>> = {
  'an object': () => ({ id: '1', claims: {} }),
  null: () => null,
  true: () => true,
  'a principal of kind session': () => new Principal({ sub: '1', role: 1000, email_verified: true }, 'session'),
  'a thrown text': () => {
    throw 'route';
  },
  'a thrown undefined': () => {
    throw undefined;
  },
  'a thrown error': () => {
    throw new Error('secret of the app');
  },
};

/** Not registered in a container, and without parameters. */
class OddKeys implements Authenticator {
  async authenticate(request: IncomingMessage): Promise<Principal | undefined> {
    note('odd', request);
    const odd = request.headers['x-odd'];
    return odd === undefined ? undefined : (ODD[String(odd)]?.() as Principal);
  }
}

@Service()
@JsonController('/who')
class WhoController {
  @Authorized()
  @Get('/')
  who(@CurrentUser() one: Principal, @CurrentUser() two: Principal) {
    ran++;
    const { id, kind, session, role, claims } = one;
    return { id, kind, session: session ?? null, role, permissions: claims['permissions'], isSame: one === two };
  }

  @Get('/maybe')
  maybe(@CurrentUser() principal?: Principal) {
    return { kind: principal?.kind ?? null };
  }

  @Authorized([700, EmailVerified, ({ kind }: Principal) => kind === 'machine'])
  @Get('/machines')
  machines() {
    return { ran: ++ran };
  }

  @Authorized(800)
  @Get('/others')
  others() {
    return { ran: ++ran };
  }

  @Authorized()
  @LoadUser()
  @SessionCheck('database')
  @Get('/loaded')
  loaded(@CurrentUser() user: AppUser) {
    return { email: user.email };
  }
}

let app: TestApp;
let owner: TestClient;
let id: string;
const container = ownContainer('authenticators');
beforeAll(async () => {
  app = await createTestApp({
    controllers: [WhoController],
    settings: { accessTokenSessionCheck: 'database' },
    auth: { container, authenticators: [MachineKeys, OddKeys] },
    // The app's own middleware calls `requireAuth` before the routes of the library.
    configure: (express) => express.use('/auth/user', (request, response, next) => before(request, response, next)),
  });
  owner = await app.signedUp('owner@example.com');
  id = String(openToken(owner.access).claims.sub);
  container.get(Owners).byKey.set('good', id);
  container.get(Owners).byKey.set('nobody', crypto.randomUUID());
});
afterAll(() => app.close());
beforeEach(() => {
  asked.splice(0);
  ran = 0;
});

const before: ReturnType<TestApp['auth']['requireAuth']> = (...given) => app.auth.requireAuth()(...given);
const get = (path: string, headers: Record<string, string> = {}) => app.client().send('GET', path, undefined, headers);

describe('a request without an access token of the library', () => {
  test('gets the principal of the first authenticator that accepts its credential; no later one is called', async () => {
    const answer = await get('/who', { 'x-machine-key': 'good', 'x-odd': 'an object' });
    expect(answer.body).toEqual({
      id,
      kind: 'machine',
      session: null,
      role: 700,
      permissions: ['read'],
      isSame: true,
    });
    expect(asked).toEqual(['machine -']);
  });

  test('is passed to the authenticators in order, and is anonymous if none accepts it', async () => {
    expectProblemDetails(await get('/who'), 401, 'not_authenticated');
    expect(asked).toEqual(['machine -', 'odd -']);
    expect((await get('/who/maybe')).body).toEqual({ kind: null });
    expect((await get('/who/maybe', { 'x-machine-key': 'good' })).body).toEqual({ kind: 'machine' });
    expect(ran).toBe(0);
  });

  test('gets the same 401 as without authenticators if none accepts its bearer token', async () => {
    for (const bearer of ['jak_abc', 'a.b.c', 'eyJ.e30.x']) {
      const answer = await get('/who', { authorization: `Bearer ${bearer}` });
      expectProblemDetails(answer, 401, 'token_not_valid', [bearer]);
    }
    expect(asked).toHaveLength(6);
  });

  test('passes the token of another issuer to the authenticators', async () => {
    const foreign = withHeader(openToken(owner.access), { kid: 'of another issuer' });
    const headers = { authorization: `Bearer ${foreign}`, 'x-machine-key': 'good' };
    expect((await get('/who', headers)).body).toMatchObject({ kind: 'machine' });
  });

  test('is answered with the error that an authenticator throws', async () => {
    const answer = await get('/who', { 'x-machine-key': 'wrong' });
    expect([answer.status, answer.body.code, answer.body.detail]).toEqual([
      401,
      'machine_unknown',
      'The machine is not known to true.',
    ]);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(asked).toEqual(['machine -']);
    expect(ran).toBe(0);
  });

  test.each(Object.keys(ODD))(
    'gets 500, and the action does not run, if the result of an authenticator is: %s',
    async (odd) => {
      app.log.splice(0);
      for (const path of ['/who', '/who/maybe']) {
        expectProblemDetails(await get(path, { 'x-odd': odd }), 500, 'internal_error', ['secret of the app']);
      }
      expect(ran).toBe(0);
      expect(app.log.map(({ level }) => level)).toEqual(['error', 'error']);
    },
  );

  test('must satisfy roles and predicates, and its user can be loaded', async () => {
    const machine = { 'x-machine-key': 'good' };
    expect((await get('/who/machines', machine)).body).toEqual({ ran: 1 });
    expectProblemDetails(await get('/who/others', machine), 403, 'permission_denied');
    expectProblemDetails(await owner.get('/who/machines'), 403, 'permission_denied');
    expect((await get('/who/loaded', machine)).body).toEqual({ email: 'owner@example.com' });
    expectProblemDetails(await get('/who/loaded', { 'x-machine-key': 'nobody' }), 401, 'token_not_valid');
    expect(ran).toBe(1);
  });

  test('causes no query of the library', async () => {
    expect(await countQueries(app.orm, () => get('/who', { 'x-machine-key': 'good' }))).toEqual([]);
  });
});

test('no authenticator receives an access token of the library, whether good, forged, expired, ended or a refresh token', async () => {
  const client = await app.signedUp();
  const ended = await app.signedUp();
  const retired = openToken(client.access);
  const machine = { 'x-machine-key': 'good' };
  const good = await get('/who', { ...client.bearer, ...machine });
  expect(good.body).toMatchObject({ kind: 'session', role: 0, session: retired.claims.session });
  await ended.logout();
  const tokens = [`${client.access}A`, client.access.slice(0, -4), withHeader(retired, { alg: 'none' }), ended.access];
  tokens.push(client.refreshToken, withHeader(openToken(client.refreshToken), { kid: 'of another issuer' }));
  for (const token of tokens) {
    const answer = await get('/who', { authorization: `Bearer ${token}`, ...machine });
    expectProblemDetails(answer, 401, 'token_not_valid', [token]);
  }
  app.clock.advance('1h');
  expectProblemDetails(await get('/who', { ...client.bearer, ...machine }), 401, 'token_not_valid');
  expect(asked).toEqual([]);
  expect(ran).toBe(1);
});

test('no route of the library accepts a principal of an authenticator, even one that the app has already looked up', async () => {
  const { actions, responseHandlers } = getMetadataArgsStorage();
  const guarded = actions.filter(({ target, method }) =>
    responseHandlers.some(
      (each) =>
        each.type === 'authorized' && each.target === target && (each.method === undefined || each.method === method),
    ),
  );
  const own = guarded.filter(({ target }) => app.auth.controllers.includes(target as never));
  expect(own.length).toBeGreaterThanOrEqual(8);
  for (const { type, route } of own) {
    asked.splice(0);
    const path = String(route).replace(':id', crypto.randomUUID());
    const answer = await app.client().send(type.toUpperCase(), `/auth${path}`, undefined, { 'x-machine-key': 'good' });
    expectProblemDetails(answer, 401, 'not_authenticated');
    expect(asked, path).toEqual(path === '/user' ? ['machine -'] : []); // from the app's earlier call of `requireAuth`
  }
  expect((await owner.refresh()).status).toBe(200);
  expect((await owner.get('/auth/user')).body.email).toBe('owner@example.com');
});

test('a module can add authenticators, which are called after those of the app', async () => {
  const module: AuthModule = {
    name: 'tickets',
    create: () => ({
      authenticators: [
        {
          authenticate: async (request) => {
            note('module', request);
            const isTicket = request.headers['x-ticket'] !== undefined;
            return isTicket ? new Principal({ sub: 'ticket', role: 0, email_verified: false }, 'ticket') : undefined;
          },
        },
      ],
    }),
  };
  const entities = [AppUser, Organization, ...createAuthEntities({ user: () => AppUser, modules: [module] })];
  const auth = { authenticators: [OddKeys] };
  const other = await createTestApp({ controllers: [WhoController], orm: { entities }, auth });
  try {
    const answer = await other.client().send('GET', '/who/maybe', undefined, { 'x-ticket': '1' });
    expect(answer.body).toEqual({ kind: 'ticket' });
    expect(asked).toEqual(['odd -', 'module -']);
  } finally {
    await other.close();
  }
});

describe('a start is refused for an authenticator that', () => {
  const start = (authenticator: unknown) => createTestApp({ auth: { authenticators: [authenticator as never] } });

  test.each([
    ['is no class', { authenticate: async () => undefined }],
    ['has no authenticate', class Nothing {}],
    ['is missing', undefined],
  ])('%s', async (_, authenticator) => {
    await expect(start(authenticator)).rejects.toThrow('each must be a class with a method authenticate(request)');
  });

  test('has constructor parameters and is not registered in the container', async () => {
    class Injected {
      constructor(readonly owners: Owners) {}
      async authenticate() {
        return undefined;
      }
    }
    await expect(start(Injected)).rejects.toThrow('Injected has constructor parameters and needs @Service()');
  });
});
