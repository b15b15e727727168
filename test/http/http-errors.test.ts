import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FailingController, SECRET_DETAIL, THROWN } from '../support/failing.controller.js';
import { createMagicLinkApp } from '../support/magic-link-app.js';
import { expectProblemDetails, fieldsOf } from '../support/problem-details.js';
import { secrets } from '../support/secrets.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { type Answer, PASSWORD } from '../support/test-client.js';

const UNKNOWN = 'x'.repeat(43);
const MARKER = 'MARKER9f3a';

describe.each([4, 5] as const)('an error of the app on Express %i', (express) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ express, controllers: [FailingController] });
  });
  beforeEach(() => void app.log.splice(0));
  afterAll(() => app.close());

  const get = (path: string, headers = {}) => app.client().send('GET', `/app${path}`, undefined, headers);

  /** Asserts a 500 that shows nothing to the client, and one log line for the operator. */
  function expectHidden(answer: Answer): void {
    expectProblemDetails(answer, 500, 'internal_error', [SECRET_DETAIL, 'hunter22']);
    expect(app.log).toHaveLength(1);
    expect(app.log[0]).toMatchObject({ level: 'error', message: 'request failed', code: 'internal_error' });
  }

  test.each(['error', 'type', 'text', 'number', 'object', 'list', 'symbol', 'aggregate', 'internal', 'http200'])(
    'that is unexpected (%s) is a 500 without its message, and one line in the log',
    async (what) => {
      expectHidden(await get(`/throws/${what}`));
      app.log.splice(0);
      expectHidden(await get(`/throws-at-once/${what}`));
    },
  );

  test.each(['undefined', 'null', 'empty', 'zero', 'route', 'router'])(
    'that Express does not recognise as an error (%s) is never a success',
    async (what) => {
      for (const path of [`/throws/${what}`, `/throws-at-once/${what}`]) {
        const answer = await get(path);
        expect([404, 500]).toContain(answer.status);
        expect(answer.headers.getSetCookie()).toEqual([]);
      }
    },
  );

  test('is logged with its class, its first line and its origin, but never with its other properties', async () => {
    await get('/throws/error');
    expect(app.log[0]).toMatchObject({ error: 'Error', reason: 'connection string postgres://[redacted]@db' });
    expect(app.log[0]?.['stack']).toContain('failing.controller');
    app.log.splice(0);
    await get('/throws/text');
    expect(app.log).toMatchObject([{ level: 'error', code: 'internal_error', error: 'string' }]);
    await get('/throws/object');
    expect(app.log[1]).toMatchObject({ level: 'error', code: 'internal_error', error: 'object' });
    expect(JSON.stringify(app.log)).not.toContain(SECRET_DETAIL);
  });

  test('of an upstream server keeps its status and hides its message', async () => {
    const answer = await get('/throws/http502');
    expectProblemDetails(answer, 502, 'internal_error', [SECRET_DETAIL]);
    expect(app.log).toHaveLength(1);
  });

  test.each([
    ['notFound', 404, 'not_found'],
    ['bad', 400, 'bad_request'],
    ['forbidden', 403, 'permission_denied'],
    ['unauthorized', 401, 'not_authenticated'],
    ['teapot', 418, 'bad_request'],
    ['conflict', 409, 'conflict'],
  ])('that the app throws on purpose (%s) keeps its message', async (what, status, code) => {
    const answer = await get(`/throws/${what}`);
    expectProblemDetails(answer, status, code);
    expect(answer.body.detail).toBe((THROWN[what] as () => Error)().message);
    expect(app.log).toEqual([]);
  });

  test("of the library's class keeps code, message and Retry-After", async () => {
    const answer = await get('/throws/ours');
    expectProblemDetails(answer, 422, 'order_closed');
    expect(answer.body.detail).toBe('The order is closed.');
    expect(answer.headers.get('retry-after')).toBe('7');
  });

  test.each([
    ['without a message', '/throws/wordless', 404, 'not_found'],
    ['of an action that answers nothing', '/nothing', 404, 'not_found'],
    ['with only a status', '/throws/status', 400, 'bad_request'],
  ])("%s gets the library's message", async (_, path, status, code) => {
    expectProblemDetails(await get(path), status, code, [SECRET_DETAIL]);
    expect(app.log).toEqual([]);
  });

  test('thrown in @UseBefore is answered in the same way, thrown synchronously or later', async () => {
    expectHidden(await get('/before'));
    app.log.splice(0);
    expectHidden(await get('/before-later'));
  });

  test.each([
    ['a parameter that is no number', `/number?n=${MARKER}`],
    ['a parameter that is missing', '/number'],
    ['a parameter that is no JSON', `/json?order=${MARKER}`],
    ['an address that cannot be decoded', `/items/${MARKER}%ZZ`],
  ])('of %s is 400 and repeats no input', async (_, path) => {
    expectProblemDetails(await get(path), 400, 'bad_request', [MARKER, 'ZZ', '/app/', 'GET']);
    expect(app.log).toEqual([]);
  });

  test('of a missing body is 400', async () => {
    const answer = await app.client().send('POST', '/app/needs-body', {});
    expectProblemDetails(answer, 400, 'bad_request', ['/app/', 'POST']);
  });

  test('of validation names the fields, nested ones by their path, and no value', async () => {
    const bad = {
      email: MARKER,
      note: `${MARKER} and more`,
      lines: [{ count: 1 }, { count: MARKER }],
      first: { count: MARKER },
    };
    const answer = await app.client().send('POST', '/app/orders', bad);
    expectProblemDetails(answer, 400, 'validation_failed', [MARKER, 'constraints', 'target']);
    expect(fieldsOf(answer)).toEqual(['email', 'note', 'lines.1.count', 'first.count']);
    expect(app.log).toEqual([]);
  });

  test('of the body parser does not repeat the body', async () => {
    const post = (body: string) => app.client().send('POST', '/app/orders', body);
    expectProblemDetails(await post(`{"email": ${MARKER}`), 400, 'malformed_json', [MARKER]);
    expectProblemDetails(await post(`"${MARKER.repeat(11_000)}"`), 413, 'payload_too_large', [MARKER]);
    expect(app.log).toEqual([]);
  });

  test('after the first bytes of an answer resets the connection, so that the answer does not look complete', async () => {
    await expect(get('/half')).rejects.toThrow();
    expect(app.log).toHaveLength(1);
    expect((await get('/items/1')).body).toEqual({ id: '1' });
  });
});

describe.each([4, 5] as const)('a URL without a controller on Express %i', (express) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ express, controllers: [FailingController] });
  });
  afterAll(() => app.close());

  test.each([
    ['GET', '/auth'],
    ['GET', '/auth/'],
    ['GET', `/auth/${MARKER}`],
    ['POST', `/auth/login/${MARKER}`],
    ['GET', '/auth/login'],
    ['GET', '/auth/refresh'],
    ['GET', '/auth/logout'],
    ['PUT', '/auth/user'],
    ['DELETE', '/auth/login'],
    ['GET', '/auth/..%2flogin'],
    ['GET', '/auth/__proto__'],
  ])("%s %s is 404 below the library's prefix", async (method, path) => {
    expectProblemDetails(await app.client().send(method, path), 404, 'not_found', [MARKER]);
    expect(app.log).toEqual([]);
  });

  test.each(['/', '/app', `/${MARKER}`, '/authors', '/auth2/login', '/x/auth/login'])(
    '%s is left to the app elsewhere',
    async (path) => {
      const answer = await app.client().send('GET', path);
      expect(answer.status).toBe(404);
      expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    },
  );

  test('HEAD gets the status of GET, without a body', async () => {
    const client = await app.signedUp();
    const head = (path: string, headers = {}) => client.send('HEAD', path, undefined, headers);
    const answers = [await head('/auth/user', client.bearer), await head('/auth/user'), await head('/auth/nothing')];
    expect(answers.map(({ status, body }) => [status, body])).toEqual([
      [200, ''],
      [401, ''],
      [404, ''],
    ]);
    expect(await head('/auth/logout', client.cookieHeader)).toMatchObject({ status: 404 });
    expect((await client.refresh()).status).toBe(200);
  });
});

describe('the challenge of a 401', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ controllers: [FailingController] });
  });
  afterAll(() => app.close());

  const invalid = 'Bearer error="invalid_token", error_description="The token is not valid."';
  test.each<[what: string, request: string, headers: Record<string, string>, challenge: string]>([
    ['no credentials', 'GET /auth/user', {}, 'Bearer'],
    ['another scheme', 'GET /auth/user', { authorization: `Basic ${btoa('user:password')}` }, 'Bearer'],
    ['a scheme without a token', 'GET /auth/user', { authorization: 'Bearer' }, 'Bearer'],
    ['a cookie alone', 'POST /auth/refresh', { cookie: 'refresh_token=garbage' }, 'Bearer'],
    ['a token that is not valid', 'GET /auth/user', { authorization: 'Bearer garbage' }, invalid],
    ['a token in small letters', 'GET /auth/user', { authorization: 'bearer garbage' }, invalid],
  ])('with %s has the form of RFC 6750', async (_, request, headers, challenge) => {
    const [method = '', path = ''] = request.split(' ');
    secrets.add(headers['authorization']);
    const answer = await app.client().send(method, path, undefined, headers);
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe(challenge);
  });

  test.each([
    ['a wrong password', 'POST /auth/login', { email: 'nobody@example.com', password: PASSWORD }],
    ['an unknown challenge', 'POST /auth/mfa/verify', { challenge: UNKNOWN, code: '123456' }],
    ['a wrong mailed code', 'POST /auth/magic-link/verify', { request: UNKNOWN, code: '123456' }],
  ])('of %s says nothing about the token that was sent', async (_, request, body) => {
    const modular = await createMagicLinkApp();
    const [method = '', path = ''] = request.split(' ');
    const { access } = await modular.signedUp();
    const answer = await modular.client().send(method, path, body, { authorization: `Bearer ${access}` });
    await modular.close();
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
  });

  test("cannot be broken by the app's error message", async () => {
    const answer = await app.client().send('GET', '/app/throws/quoted', undefined, { authorization: 'Bearer x' });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toMatch(
      /^Bearer error="invalid_token", error_description="[^"\\\r\n]*"$/,
    );
  });
});
