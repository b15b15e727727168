import { createServer, type IncomingMessage, request as open, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import express5 from 'express';
import { Authorized, CurrentUser, Get, JsonController } from 'routing-controllers';
import { Service } from 'typedi';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type AccessPredicate,
  type Authenticator,
  EmailVerified,
  JwtAllauthError,
  Principal,
  Role,
  SessionCheck,
} from '../../src/index.js';
import { openToken } from '../support/forge.js';
import { expectProblemDetails } from '../support/problem-details.js';
import { countQueries } from '../support/query-count.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import type { TestClient } from '../support/test-client.js';

const express4 = createRequire(import.meta.url)('express4') as typeof express5;

class Machines implements Authenticator {
  async authenticate({ headers }: IncomingMessage): Promise<Principal | undefined> {
    if (headers['x-machine-key'] === undefined) return undefined;
    return new Principal({ sub: 'machine', role: Role.STAFF, email_verified: false }, 'machine');
  }
}

describe.each([
  ['4', express4],
  ['5', express5],
])('auth.requireAuth on a plain route of Express %s', (_, create) => {
  const ran: string[] = [];
  const seen: unknown[] = [];
  let app: TestApp;
  let client: TestClient;
  const isOwn: AccessPredicate = ({ claims }, { params, query }) =>
    params['team'] === 'a' && 'mine' in query && !!claims;
  const broken: AccessPredicate = () => {
    throw new Error('secret of the app');
  };

  beforeAll(async () => {
    const own = create();
    app = await createTestApp({ own, auth: { authenticators: [Machines] } });
    const answer = (request: express5.Request, response: express5.Response) => {
      ran.push(request.path);
      response.json({ id: request.principal?.id, kind: request.principal?.kind });
    };
    const { auth } = app;
    own.get('/plain', auth.requireAuth(), answer);
    own.get('/plain/staff', auth.requireAuth(Role.STAFF), answer);
    own.get('/plain/verified', auth.requireAuth(700, EmailVerified), answer);
    own.get('/plain/teams/:team', auth.requireAuth(isOwn), answer);
    own.get('/plain/broken', auth.requireAuth(broken), answer);
    const late: express5.RequestHandler = (_request, response, next) => {
      response.status(504).end();
      next();
    };
    own.get('/plain/late', late, auth.requireAuth(), answer);
    const tracker: express5.ErrorRequestHandler = (error, _request, _response, next) => {
      seen.push(error);
      next(error);
    };
    own.use(tracker);
    client = await app.signedUp();
  });
  afterAll(() => app.close());
  beforeEach(() => {
    ran.splice(0);
    seen.splice(0);
    app.log.splice(0);
    app.refusals.splice(0);
  });

  test('lets a valid token in, provides the principal, and sends no query', async () => {
    const queries = await countQueries(app.orm, async () => {
      const { status, body } = await client.get('/plain');
      expect([status, body]).toEqual([200, { id: openToken(client.access).claims.sub, kind: 'session' }]);
    });
    expect(queries).toEqual([]);
    const machine = await app.client().send('GET', '/plain', undefined, { 'x-machine-key': 'any' });
    expect(machine.body).toEqual({ id: 'machine', kind: 'machine' });
  });

  test("answers all others with problem details and a challenge, as the library's routes do", async () => {
    const anonymous = await app.client().get('/plain');
    expectProblemDetails(anonymous, 401, 'not_authenticated');
    expect(anonymous.headers.get('www-authenticate')).toBe('Bearer');
    const forged = await app.client().send('GET', '/plain', undefined, { authorization: 'Bearer a.b.c' });
    expectProblemDetails(forged, 401, 'token_not_valid', ['a.b.c']);
    expect(forged.headers.get('www-authenticate')).toContain('error="invalid_token"');
    expect(ran).toEqual([]);
    expect(seen).toEqual([]);
    expect(app.refusals.map(({ code }) => code)).toEqual(['not_authenticated', 'token_not_valid']);
  });

  test('requires every predicate and any of the roles; predicates read the route', async () => {
    expectProblemDetails(await client.get('/plain/staff'), 403, 'permission_denied');
    expectProblemDetails(await client.get('/plain/verified'), 403, 'permission_denied');
    const machine = (path: string) => app.client().send('GET', path, undefined, { 'x-machine-key': 'any' });
    expect((await machine('/plain/staff')).status).toBe(200);
    expectProblemDetails(await machine('/plain/verified'), 403, 'permission_denied');
    expect((await client.get('/plain/teams/a?mine')).status).toBe(200);
    expectProblemDetails(await client.get('/plain/teams/a'), 403, 'permission_denied');
    expectProblemDetails(await client.get('/plain/teams/b?mine'), 403, 'permission_denied');
    expect(ran).toEqual(['/plain/staff', '/plain/teams/a']);
  });

  test('answers an error of a predicate with 500, after the error handlers of the app', async () => {
    const answer = await client.get('/plain/broken');
    expectProblemDetails(answer, 500, 'internal_error', ['secret of the app']);
    expect(seen).toEqual([expect.objectContaining({ message: 'secret of the app' })]);
    expect(app.log.map(({ level }) => level)).toEqual(['error']);
    expect(ran).toEqual([]);
  });

  test('does nothing more if the request is answered during the check of its credential', async () => {
    const answer = await client.send('GET', '/plain/late', undefined, { authorization: 'Bearer a.b.c' });
    expect(answer.status).toBe(504);
    expect(seen).toEqual([expect.objectContaining({ code: 'token_not_valid' })]);
    expect(ran).toEqual([]);
  });

  test.each<[unknown]>([['admin'], [undefined], [[700]], [Number.NaN], [{}]])(
    'refuses to be created with %s',
    (rule) => {
      expect(() => app.auth.requireAuth(rule as never)).toThrow(
        expect.objectContaining({ code: 'controller_refused' }) as Error,
      );
    },
  );
});

test('@SessionCheck checks the session of a request that auth.requireAuth has let in without a check', async () => {
  @Service()
  @JsonController('/behind')
  class BehindController {
    @Authorized()
    @Get('/')
    plain(@CurrentUser() { kind }: Principal) {
      return { kind };
    }

    @Authorized()
    @SessionCheck('database')
    @Get('/checked')
    checked(@CurrentUser() { kind }: Principal) {
      return { kind };
    }
  }
  const first: ReturnType<TestApp['auth']['requireAuth']> = (...given) => app.auth.requireAuth()(...given);
  const app = await createTestApp({
    controllers: [BehindController],
    settings: { accessTokenSessionCheck: 'none' },
    configure: (express) => express.use('/behind', (request, response, next) => first(request, response, next)),
  });
  try {
    const client = await app.signedUp();
    expect(await countQueries(app.orm, () => client.get('/behind'))).toEqual([]);
    expect((await client.get('/behind/checked')).body).toEqual({ kind: 'session' });
    const headers = client.bearer;
    await client.logout();
    expect((await client.send('GET', '/behind', undefined, headers)).status).toBe(200);
    expectProblemDetails(await client.send('GET', '/behind/checked', undefined, headers), 401, 'token_not_valid');
  } finally {
    await app.close();
  }
});

describe('auth.authenticate', () => {
  let app: TestApp;
  let server: Server;
  const sockets: Duplex[] = [];
  const authenticated: Principal[] = [];

  /** Acts as a WebSocket server at an upgrade; the token is sent as a subprotocol, as browsers can send it. */
  async function upgrade(request: IncomingMessage, socket: Duplex): Promise<void> {
    const [, token] = request.headers['sec-websocket-protocol']?.split(', ') ?? [];
    try {
      authenticated.push(await app.auth.authenticate(token ?? request));
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
      sockets.push(socket);
    } catch (error) {
      const { httpCode, code } = error as JwtAllauthError;
      socket.end(`HTTP/1.1 ${httpCode} ${code}\r\nConnection: close\r\n\r\n`);
    }
  }

  beforeAll(async () => {
    app = await createTestApp({
      settings: { accessTokenSessionCheck: 'database' },
      auth: { authenticators: [Machines] },
    });
    server = createServer().on('upgrade', (request, socket) => void upgrade(request, socket));
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
  });
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await app.close();
  });
  beforeEach(() => authenticated.splice(0));

  /** The status and the phrase of the answer to an upgrade. */
  const connect = (headers: Record<string, string>) =>
    new Promise<string>((resolve, reject) => {
      const { port } = server.address() as AddressInfo;
      const all = { Connection: 'Upgrade', Upgrade: 'websocket', ...headers };
      open({ port, host: '127.0.0.1', headers: all })
        .on('upgrade', ({ statusCode }, socket) => {
          socket.destroy();
          resolve(`${statusCode}`);
        })
        .on('response', (response) => {
          response.resume();
          resolve(`${response.statusCode} ${response.statusMessage}`);
        })
        .on('error', reject)
        .end();
    });
  const asProtocol = (token: string) => ({ 'Sec-WebSocket-Protocol': `bearer, ${token}` });

  test('opens a socket for the header of a request, and for a token from elsewhere', async () => {
    const client = await app.signedUp();
    const { claims } = openToken(client.access);
    expect(await connect({ Authorization: `Bearer ${client.access}` })).toBe('101');
    expect(await connect(asProtocol(client.access))).toBe('101');
    expect(await connect({ 'x-machine-key': 'any' })).toBe('101');
    expect(authenticated.map(({ kind, id, session }) => [kind, id, session])).toEqual([
      ['session', claims.sub, claims.session],
      ['session', claims.sub, claims.session],
      ['machine', 'machine', undefined],
    ]);
    expect(authenticated.every((principal) => principal instanceof Principal)).toBe(true);
  });

  test("throws the library's errors for no credential, a bad token, a refresh token, and the token of an ended session", async () => {
    const client = await app.signedUp();
    expect(await connect({})).toBe('401 not_authenticated');
    for (const token of ['garbage', `${client.access}A`, client.refreshToken]) {
      expect(await connect(asProtocol(token))).toBe('401 token_not_valid');
      expect(await connect({ Authorization: `Bearer ${token}` })).toBe('401 token_not_valid');
    }
    await client.logout();
    expect(await connect({ Authorization: `Bearer ${client.access}` })).toBe('401 token_not_valid');
    expect(await connect(asProtocol(client.access))).toBe('401 token_not_valid');
    expect(authenticated).toEqual([]);
    for (const nothing of [undefined, null, 7, '']) {
      await expect(app.auth.authenticate(nothing as never)).rejects.toMatchObject({ code: 'token_not_valid' });
    }
  });

  test('checks a token at each call, and a request once', async () => {
    const client = await app.signedUp();
    const request = { headers: { authorization: `Bearer ${client.access}` } } as IncomingMessage;
    const principal = await app.auth.authenticate(request);
    await app.auth.authenticate(client.access);
    await client.logout();
    expect(await app.auth.authenticate(request)).toBe(principal);
    await expect(app.auth.authenticate(client.access)).rejects.toBeInstanceOf(JwtAllauthError);
  });
});
