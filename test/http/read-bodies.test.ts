import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';
import express5, { type Express, type RequestHandler } from 'express';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { expectProblemDetails } from '../support/problem-details.js';
import { type RawRequest, rawRequest } from '../support/raw-request.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';

const EMAIL = 'user@example.com';
const RIGHT = { email: EMAIL, password: PASSWORD };
const JSON_TYPE = { 'content-type': 'application/json' };
const VERSIONS = { 4: createRequire(import.meta.url)('express4') as typeof express5, 5: express5 };

/**
 * Reads the body as some hosts of functions do: the bytes are stored on the request, and the stream has ended.
 */
const rawBody: RequestHandler = (request, _response, next) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => next(void Object.assign(request, { rawBody: Buffer.concat(chunks) })));
};

/** Ways in which an app may read a body before the library. */
const READERS: [what: string, read: (express: typeof express5) => RequestHandler[]][] = [
  ['express.json()', (express) => [express.json({ limit: '1mb' }), express.urlencoded({ extended: false })]],
  ['express.json() that is not strict', (express) => [express.json({ strict: false, limit: '1mb' })]],
  ['express.text()', (express) => [express.text({ type: '*/*', limit: '1mb' })]],
  ['express.raw()', (express) => [express.raw({ type: '*/*', limit: '1mb' })]],
  ['a host that keeps the bytes', () => [rawBody]],
];

describe.each([4, 5] as const)('on Express %i', (version) => {
  describe.each(READERS)('with %s', (_, read) => {
    let app: TestApp;
    beforeAll(async () => {
      const express = VERSIONS[version]();
      for (const reader of read(VERSIONS[version])) express.use(reader);
      app = await startWith(express);
    });
    afterAll(() => app.close());

    const login = (request: RawRequest) => rawRequest(`${app.url}/auth/login`, { headers: JSON_TYPE, ...request });

    test('users sign up, sign in, refresh and sign out', async () => {
      const client = app.client();
      expect((await client.register(EMAIL)).status).toBe(201);
      expect((await client.login(EMAIL)).status).toBe(200);
      expect((await client.refresh()).status).toBe(200);
      const named = await client.send('PATCH', '/auth/user', { firstName: 'Zoë' }, client.bearer);
      expect(named).toMatchObject({ status: 200, body: { firstName: 'Zoë' } });
      expect((await client.send('PATCH', '/auth/user', undefined, client.bearer)).status).toBe(200);
      expect((await client.logout()).status).toBe(204);
      expect(app.log).toEqual([]);
    });

    test('bodies in chunks and in gzip are read', async () => {
      const json = JSON.stringify(RIGHT);
      expect((await login({ body: [json.slice(0, 9), json.slice(9)] })).status).toBe(200);
      if (read(express5)[0] === rawBody) return; // it keeps the bytes as sent
      const headers = { ...JSON_TYPE, 'content-encoding': 'gzip' };
      expect((await login({ headers, body: gzipSync(json) })).status).toBe(200);
    });

    test('faults are answered as usual', async () => {
      expectProblemDetails(await login({ body: '{"email":' }), 400, 'malformed_json');
      expectProblemDetails(await login({ body: 'null' }), 400, 'validation_failed');
      expectProblemDetails(await login({ body: '[]' }), 400, 'validation_failed');
      expectProblemDetails(await login({ body: '{}' }), 400, 'validation_failed');
      expectProblemDetails(await login({}), 400, 'validation_failed');
      const big = JSON.stringify({ ...RIGHT, note: 'x'.repeat(102_400) });
      expectProblemDetails(await login({ body: big }), 413, 'payload_too_large');
      for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
        const answer = await login({ headers: { 'content-type': type }, body: JSON.stringify(RIGHT) });
        expectProblemDetails(answer, 415, 'unsupported_media_type');
      }
      expect(app.log).toEqual([]);
    });
  });

  test('an app that is mounted in another one with a parser reads bodies', async () => {
    const inner = VERSIONS[version]();
    const app = await startWith(inner);
    const outer = VERSIONS[version]();
    outer.use(VERSIONS[version].json());
    outer.use('/accounts', inner);
    const server = outer.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const url = `http://127.0.0.1:${(server.address() as { port: number }).port}/accounts/auth/registration`;
    const answer = await rawRequest(url, { headers: JSON_TYPE, body: JSON.stringify(RIGHT) });
    expect(answer.status).toBe(201);
    server.closeAllConnections();
    server.close();
    await app.close();
  });

  test('a body that was read and discarded is an error in the log, and signs no user in', async () => {
    const express = VERSIONS[version]();
    express.use((request, _response, next) => void request.on('end', () => next()).resume());
    const app = await startWith(express);
    const answer = await rawRequest(`${app.url}/auth/login`, { headers: JSON_TYPE, body: JSON.stringify(RIGHT) });
    expectProblemDetails(answer, 500, 'internal_error');
    expect(app.log).toMatchObject([
      { reason: 'A middleware has read the body, but has not stored it in request.body.' },
    ]);
    await app.close();
  });

  describe.each([
    ['express.urlencoded()', (express: typeof express5) => express.urlencoded({ extended: false })],
    ['express.text()', (express: typeof express5) => express.text({ type: '*/*' })],
    ['express.raw()', (express: typeof express5) => express.raw({ type: '*/*' })],
    ['a host that keeps the bytes', () => rawBody],
  ])('the form of a new password with %s', (_, read) => {
    const NEW = 'ein neuer Satz & noch mehr';
    let app: MailApp;
    beforeAll(async () => {
      const express = VERSIONS[version]();
      express.use(read(VERSIONS[version]));
      app = await createMailApp({}, { own: express });
      await app.client().register(EMAIL);
    });
    afterAll(() => app.close());

    test('sets it once, and accepts only forms', async () => {
      await app.client().send('POST', '/auth/password/reset', { email: EMAIL });
      const opened = await app.open(await app.linkTo(EMAIL));
      const cookie = [...opened.cookies.values()].map((each) => each.split(';')[0]).join('; ');
      const submit = (body: string | URLSearchParams, headers = {}) =>
        app.open(`${app.url}/auth/password/reset/form`, { method: 'POST', body, headers: { cookie, ...headers } });
      expect((await submit(JSON.stringify({ newPassword: NEW }), JSON_TYPE)).status).toBe(400);
      expect((await submit(new URLSearchParams({ newPassword: 'short' }))).status).toBe(400);
      expect((await submit(new URLSearchParams({ newPassword: NEW }))).status).toBe(200);
      expect((await app.client().login(EMAIL, NEW)).status).toBe(200);
      expect(app.log.filter(({ level }) => level === 'error')).toEqual([]);
    });
  });
});

function startWith(own: Express): Promise<TestApp> {
  return createTestApp({ own });
}
