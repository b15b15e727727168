import express5 from 'express';
import {
  type ExpressErrorMiddlewareInterface,
  Get,
  HttpError,
  JsonController,
  Middleware,
  Param,
  Req,
} from 'routing-controllers';
import { Service } from 'typedi';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { JwtAllauthError } from '../../src/index.js';
import { expectProblemDetails } from '../support/problem-details.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { AppRefreshToken } from '../support/users.js';

class DomainError extends Error {}

class OrderClosed extends Error {
  readonly statusCode = 409;
}

class Closed extends HttpError {
  constructor(status = 409) {
    super(status, 'The order is closed.');
    Object.setPrototypeOf(this, Closed.prototype); // as the README of routing-controllers advises
  }

  toJSON() {
    const { stack, httpCode, name } = this;
    return { type: 'https://example.com/closed', code: 'order_closed', order: 7, stack, httpCode, name, status: 200 };
  }
}

const cyclic = Object.assign(new Error('a cycle'), { self: undefined as unknown });
cyclic.self = cyclic;
const ERRORS: Readonly<Record<string, unknown>> = {
  plain: Object.assign(new Error('broken'), { order: 7 }),
  domain: new DomainError('of the app'),
  closed: new Closed(),
  closed500: new Closed(500),
  statusCode: Object.assign(new Error('secret words'), { statusCode: 404 }),
  exposed: Object.assign(new Error('It was changed meanwhile.'), { status: 409, statusCode: 409, expose: true }),
  file: Object.assign(new Error("ENOENT: stat '/srv/x'"), { status: 404, expose: true, code: 'ENOENT' }),
  hidden: Object.assign(new Error('secret words'), { status: 500, statusCode: 500, expose: false }),
  fileSize: Object.assign(new Error('File too large'), { name: 'MulterError', code: 'LIMIT_FILE_SIZE', field: 'x' }),
  wrongField: Object.assign(new Error('Unexpected file field'), {
    name: 'MulterError',
    code: 'LIMIT_UNEXPECTED_FILE',
    field: 'secret words',
  }),
  endOfForm: new Error('Unexpected end of form'),
  ours: new JwtAllauthError('order_closed', { status: 422, detail: 'The order is closed.' }),
  text: 'a text',
  cyclic,
  subclass: new OrderClosed('secret words'),
  unauthorized: Object.assign(new Error('secret words'), { status: 401 }),
  forbidden: Object.assign(new Error('secret words'), { statusCode: 403 }),
  exposed401: Object.assign(new Error('Say who you are.'), { status: 401, statusCode: 401, expose: true }),
  thrown403: new HttpError(403, 'It is not yours.'),
};

/** Errors from calls of the app to another service: their status is meant for the app, not for its client. */
const UPSTREAM: Readonly<Record<string, (status: number) => object>> = {
  axios: (status) => ({
    isAxiosError: true,
    name: 'AxiosError',
    code: status < 500 ? 'ERR_BAD_REQUEST' : 'ERR_BAD_RESPONSE',
    status,
    config: { url: 'https://upstream.example/' },
    request: {},
    response: { status, headers: {}, data: 'secret words' },
  }),
  superagent: (status) => ({ status, response: { status, text: 'secret words' } }),
  undici: (status) => ({ code: 'UND_ERR_RESPONSE_STATUS_CODE', status, statusCode: status, headers: {}, body: {} }),
  octokit: (status) => ({ name: 'HttpError', status, request: { url: 'https://upstream.example/' } }),
  openai: (status) => ({ status, headers: {}, requestID: 'req_1', error: {} }),
  stripe: (status) => ({ statusCode: status, requestId: 'req_1', raw: {}, type: 'StripeAuthenticationError' }),
};

@Service()
@JsonController('/app')
class ThrowingController {
  @Get('/:what')
  what(@Param('what') what: string, @Req() request: { headers: Record<string, string> }) {
    if (what === 'bearer') throw Object.assign(new Error('upstream'), { config: { headers: request.headers } });
    const [client = '', status] = what.split('-');
    if (status) throw Object.assign(new Error(`Request failed with ${status}`), UPSTREAM[client]?.(Number(status)));
    throw ERRORS[what];
  }
}

const seen: unknown[] = [];

@Service()
@Middleware({ type: 'after' })
class AppErrors implements ExpressErrorMiddlewareInterface {
  // biome-ignore lint/suspicious/noExplicitAny: what Express passes
  error(error: unknown, _request: any, response: any, next: (error?: unknown) => void) {
    seen.push(error);
    if (error instanceof DomainError) response.status(418).json({ domain: error.message });
    else next(error);
  }
}

/** Answers every error in its own form, as many apps do. */
@Service()
@Middleware({ type: 'after' })
class CatchAll implements ExpressErrorMiddlewareInterface {
  // biome-ignore lint/suspicious/noExplicitAny: what Express passes
  error(_error: unknown, _request: any, response: any) {
    response.status(500).json({ message: 'oops' });
  }
}

const tracked: unknown[] = [];

describe.each([4, 5] as const)('on Express %i', (version) => {
  let app: TestApp;
  beforeAll(async () => {
    const { createRequire } = await import('node:module');
    const own: express5.Express = version === 5 ? express5() : createRequire(import.meta.url)('express4')();
    app = await createTestApp({ own, controllers: [ThrowingController], server: { middlewares: [AppErrors] } });
    own.use(((error, _request, _response, next) => {
      tracked.push(error);
      next(error);
    }) as express5.ErrorRequestHandler);
  });
  beforeEach(() => {
    app.log.length = app.refusals.length = seen.length = tracked.length = 0;
  });
  afterAll(() => app.close());

  const get = (what: string, headers = {}) => app.client().send('GET', `/app/${what}`, undefined, headers);

  test("the app's own error middleware runs first and may answer", async () => {
    const answer = await get('domain');
    expect([answer.status, answer.body]).toEqual([418, { domain: 'of the app' }]);
    expect([seen, tracked, app.log]).toEqual([[ERRORS['domain']], [], []]);
  });

  test('an error tracker at the end receives each 5xx once, and the library answers', async () => {
    expectProblemDetails(await get('plain'), 500, 'internal_error', ['broken']);
    expectProblemDetails(await get('hidden'), 500, 'internal_error', ['secret words']);
    expectProblemDetails(await get('closed500'), 500, 'internal_error', ['closed', '7']);
    expect(tracked).toEqual([ERRORS['plain'], ERRORS['hidden'], ERRORS['closed500']]);
    expect(seen).toEqual(tracked);
  });

  test('an error tracker does not receive client errors', async () => {
    for (const what of ['closed', 'statusCode', 'wrongField', 'ours']) await get(what);
    expect(seen).toHaveLength(4);
    expect(tracked).toEqual([]);
  });

  test('the logger receives the error itself', async () => {
    for (const what of ['plain', 'cyclic']) await get(what);
    expect(app.log.map(({ err }) => err)).toEqual([ERRORS['plain'], ERRORS['cyclic']]);
    expect(app.log[0]?.['err']).toBe(ERRORS['plain']);
    await get('text');
    expect(app.log[2]).toEqual({ level: 'error', message: 'request failed', code: 'internal_error', error: 'string' });
  });

  test('the logger receives a copy of an error that contains the token of the request', async () => {
    const client = await app.signedUp();
    app.log.length = 0;
    expect((await get('bearer', client.bearer)).status).toBe(500);
    expect(app.log[0]?.['err']).toMatchObject({ name: 'Error', message: 'upstream' });
    expect(app.log[0]?.['err']).not.toHaveProperty('config');
    expect((tracked[0] as { config?: object }).config).toBeDefined();
  });

  test.each([
    ['statusCode', 404, 'not_found', 'The requested URL does not exist.'],
    ['subclass', 409, 'conflict', 'The request conflicts with existing data.'],
    ['file', 404, 'not_found', 'The requested URL does not exist.'],
    ['exposed', 409, 'conflict', 'It was changed meanwhile.'],
    ['fileSize', 413, 'payload_too_large', 'The body is too large.'],
    ['wrongField', 400, 'bad_request', 'The request is not valid.'],
    ['endOfForm', 400, 'bad_request', 'The request is not valid.'],
  ])('an error of another kind (%s) is answered with its status', async (what, status, code, detail) => {
    const answer = await get(what);
    expectProblemDetails(answer, status, code, ['secret words', '/srv']);
    expect(answer.body.detail).toBe(detail);
    expect(app.log).toEqual([]);
  });

  test.each(Object.keys(UPSTREAM))('a refusal by an upstream service (%s) is answered as 500', async (from) => {
    for (const status of [400, 401, 403, 404, 429, 503]) {
      const answer = await get(`${from}-${status}`);
      expectProblemDetails(answer, 500, 'internal_error', ['secret words', 'upstream', 'Request failed']);
      expect([answer.headers.get('www-authenticate'), answer.headers.get('retry-after')]).toEqual([null, null]);
    }
    expect([app.log.length, tracked.length, app.refusals.length]).toEqual([6, 6, 0]);
  });

  test('an error with only the status 401 or 403 is a 500; an exposed error or an HttpError is a refusal', async () => {
    for (const what of ['unauthorized', 'forbidden']) {
      expectProblemDetails(await get(what), 500, 'internal_error', ['secret words']);
    }
    expect([app.log.length, app.refusals]).toEqual([2, []]);
    const refused = await get('exposed401');
    expectProblemDetails(refused, 401, 'not_authenticated');
    expect(refused.body.detail).toBe('Say who you are.');
    expectProblemDetails(await get('thrown403'), 403, 'permission_denied');
    expect(app.refusals.map(({ code }) => code)).toEqual(['not_authenticated', 'permission_denied']);
  });

  test('an HttpError with toJSON keeps its public members, without internal ones', async () => {
    const answer = await get('closed');
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect([answer.status, answer.body]).toEqual([
      409,
      {
        type: 'https://example.com/closed',
        title: 'Conflict',
        status: 409,
        code: 'order_closed',
        detail: 'The order is closed.',
        order: 7,
      },
    ]);
  });

  test("refusals by the library's routes are answered by the library; a 5xx is tracked and logged once", async () => {
    expectProblemDetails(await app.client().login('nobody@example.com'), 401, 'incorrect_credentials');
    expectProblemDetails(await app.client().send('POST', '/auth/login', '{'), 400, 'malformed_json');
    expectProblemDetails(await app.client().get('/auth/nothing'), 404, 'not_found');
    expect([seen, tracked]).toEqual([[], []]);
    const broken = new Error('forUser is broken');
    const { forUser } = AppRefreshToken;
    AppRefreshToken.forUser = () => Promise.reject(broken);
    expectProblemDetails(await app.client().register('broken@example.com'), 500, 'internal_error');
    AppRefreshToken.forUser = forUser;
    expect([seen, tracked, app.log.map(({ err }) => err)]).toEqual([[broken], [broken], [broken]]);
  });
});

test("an app that answers every error in its own form does not change the refusals of the library's routes", async () => {
  const app = await createTestApp({ controllers: [ThrowingController], server: { middlewares: [CatchAll] } });
  expect((await app.client().get('/app/closed')).body).toEqual({ message: 'oops' });
  expectProblemDetails(await app.client().login('nobody@example.com'), 401, 'incorrect_credentials');
  expectProblemDetails(await app.client().send('POST', '/auth/refresh'), 400, 'refresh_token_missing');
  expectProblemDetails(await app.client().get('/auth/user'), 401, 'not_authenticated');
  expectProblemDetails(await app.client().get('/auth/nothing'), 404, 'not_found');
  await app.close();
});

test('an error tracker of an outer app receives a 5xx, and the library answers', async () => {
  const inner = express5();
  const app = await createTestApp({ own: inner, controllers: [ThrowingController] });
  const outer = express5();
  outer.use('/api', inner);
  const outside: unknown[] = [];
  outer.use(((error, _request, _response, next) => next(outside.push(error) && error)) as express5.ErrorRequestHandler);
  const server = outer.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const answer = await fetch(`http://127.0.0.1:${port}/api/app/plain`);
  expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([500, 'internal_error']);
  expect(outside).toEqual([ERRORS['plain']]);
  server.closeAllConnections();
  server.close();
  await app.close();
});
