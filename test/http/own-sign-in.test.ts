import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { Body, createExpressServer, Get, HttpError, JsonController, Post, Req, Res } from 'routing-controllers';
import { Service } from 'typedi';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FromOwnOrigin, type HttpRequest, type HttpResponse, type JwtAllauth } from '../../src/index.js';
import { ownContainer } from '../support/containers.js';
import { documentOf } from '../support/documented-app.js';
import { openToken } from '../support/forge.js';
import { expectProblemDetails } from '../support/problem-details.js';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/test-app.js';

/** The apps by the port of the request: two of them share the controller. */
const auths = new Map<string, JwtAllauth>();
const tickets = new Map<string, string>();
const ran: string[] = [];

@Service()
@JsonController('/tickets')
class TicketController {
  @FromOwnOrigin()
  @Post('/sign-in')
  async signIn(@Body() body: { ticket: string }, @Req() request: HttpRequest, @Res() response: HttpResponse) {
    const auth = auths.get(String(request.headers.host)) as JwtAllauth;
    const id = tickets.get(body.ticket);
    tickets.delete(body.ticket);
    if (id === undefined) throw new HttpError(401, 'The ticket is not valid.');
    const tokens = await auth.signIn({ id }, { method: 'ticket', client: auth.clientOf(request) });
    return auth.deliver(request, response, tokens);
  }
}

@Service()
@FromOwnOrigin()
@JsonController('/guarded')
class GuardedController {
  @Get('/')
  get() {
    ran.push('guarded');
    return {};
  }
}

const controllers = [TicketController, GuardedController];
const open: { close(): Promise<unknown> }[] = [];
let app: TestApp;
beforeEach(() => {
  tickets.clear();
  ran.splice(0);
});
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

async function start(options: TestAppOptions = {}): Promise<TestApp> {
  app = await createTestApp({ controllers, ...options });
  open.push(app);
  auths.set(new URL(app.url).host, app.auth);
  return app;
}

/** A ticket of a user who has signed up. */
async function ticket(): Promise<string> {
  const { access } = await app.signedUp();
  const name = crypto.randomUUID();
  tickets.set(name, String(openToken(access).claims.sub));
  return name;
}

const signIn = (name: string, headers: Record<string, string> = {}) =>
  app.client().send('POST', '/tickets/sign-in', { ticket: name }, headers);
const FOREIGN = { origin: 'https://elsewhere.example' };

test('a sign-in with a ticket sets the cookie like a login, is not cached, and ends the session that it replaces', async () => {
  await start();
  const before = await app.signedUp();
  const answer = await signIn(await ticket(), { ...before.cookieHeader, origin: app.url });
  expect([answer.status, Object.keys(answer.body)]).toEqual([200, ['access']]);
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(answer.cookie?.name).toBe('refresh_token');
  const attributes = answer.cookie?.attributes.filter((each) => !each.startsWith('Expires=')).sort();
  expect(attributes).toEqual(['HttpOnly', 'Max-Age=1209600', 'Path=/', 'SameSite=Lax']);
  expect(openToken(answer.body.access).claims['amr']).toEqual(['ticket']);
  const cookie = { cookie: `refresh_token=${answer.cookie?.value}` };
  const refreshed = await app.client().send('POST', '/auth/refresh', undefined, cookie);
  expect(refreshed.status).toBe(200);
  expectProblemDetails(await before.refresh(), 401, 'token_not_valid');
  expectProblemDetails(await signIn('used'), 401, 'not_authenticated');
});

test('a sign-in with a ticket returns a body if the setting or the request asks for it, and then ignores cookies', async () => {
  await start({ settings: { refreshTokenTransport: 'both' } });
  const before = await app.signedUp();
  const byHeader = await signIn(await ticket(), { 'auth-transport': 'body', ...before.cookieHeader });
  expect([byHeader.status, Object.keys(byHeader.body)]).toEqual([200, ['access', 'refresh']]);
  expect(byHeader.headers.getSetCookie()).toEqual([]);
  expect((await before.refresh()).status).toBe(200);
  await start({ settings: { refreshTokenTransport: 'body' } });
  const bySetting = await signIn(await ticket());
  expect([Object.keys(bySetting.body), bySetting.headers.getSetCookie()]).toEqual([['access', 'refresh'], []]);
});

test.each(['cookie', 'body', 'both'] as const)(
  'a foreign page and an unknown transport are refused before the ticket is checked (%s)',
  async (refreshTokenTransport) => {
    await start({ settings: { refreshTokenTransport, trustedOrigins: ['https://trusted.example'] } });
    const name = await ticket();
    const foreign: Record<string, string>[] = [
      FOREIGN,
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      ...(refreshTokenTransport === 'cookie' ? [] : [{ ...FOREIGN, 'auth-transport': 'body' }]),
    ];
    for (const headers of foreign) expectProblemDetails(await signIn(name, headers), 403, 'csrf_failed');
    expectProblemDetails(await signIn(name, { 'auth-transport': 'post' }), 400, 'bad_request');
    expect((await signIn(name, { origin: 'https://trusted.example' })).status).toBe(200);
    expectProblemDetails(await app.client().send('GET', '/guarded', undefined, FOREIGN), 403, 'csrf_failed');
    expect((await app.client().send('GET', '/guarded', undefined, { origin: app.url })).status).toBe(200);
    expect(ran).toEqual(['guarded']);
  },
);

test('two apps that share a controller use their own trusted origins', async () => {
  const origin = 'https://trusted.example';
  const trusting = await start({
    settings: { trustedOrigins: [origin] },
    auth: { container: ownContainer('trusting') },
  });
  const other = await start({ auth: { container: ownContainer('wary') } });
  for (let round = 0; round < 2; round++) {
    expect((await trusting.client().send('GET', '/guarded', undefined, { origin })).status).toBe(200);
    expectProblemDetails(await other.client().send('GET', '/guarded', undefined, { origin }), 403, 'csrf_failed');
  }
});

test("a controller that is served without the library's options refuses every request", async () => {
  // Without a list routing-controllers would run the middlewares of every app in the process.
  const options = { controllers: [GuardedController], middlewares: [class NoMiddleware {}] };
  const server = createServer(createExpressServer(options) as RequestListener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  open.push({ close: async () => server.close() });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/guarded`;
  const answer = await fetch(url, { headers: { connection: 'close' } });
  expect(answer.status).toBe(500);
  expect(ran).toEqual([]);
});

test('a plain Express route can send tokens', async () => {
  const own = express();
  await start({ own });
  const name = await ticket();
  own.post('/plain', async (request, response) => {
    const tokens = await app.auth.sessions.open({ id: tickets.get(name) as string });
    response.json(await app.auth.deliver(request, response, tokens));
  });
  const answer = await app.client().send('POST', '/plain');
  expect([answer.status, Object.keys(answer.body), answer.cookie?.name]).toEqual([200, ['access'], 'refresh_token']);
});

test('a subclass that would lose the guard is refused at start, and the document has its 403', async () => {
  @JsonController('/inherited')
  class Inherited extends GuardedController {
    @Get('/')
    override get() {
      return {};
    }
  }
  await start();
  expect(() => app.auth.serverOptions({ controllers: [Inherited] })).toThrow('Inherited extends GuardedController');
  const { paths } = documentOf(app, { controllers });
  for (const operation of [paths['/tickets/sign-in']?.['post'], paths['/guarded']?.['get']]) {
    expect(JSON.stringify(operation?.responses['403'])).toContain('csrf_failed');
  }
});
