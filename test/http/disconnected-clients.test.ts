import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import express5, { type RequestHandler } from 'express';
import { afterEach, describe, expect, test } from 'vitest';
import { countingHasher } from '../support/counting-hasher.js';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';
import { until } from '../support/until.js';

let app: TestApp;
/** Counts requests that arrived and answers that were given, even if no client received them. */
let arrived: number;
let answered: number;
afterEach(() => app.close());

/** @param before middleware of the app that runs before the library */
async function start(options: TestAppOptions, before: RequestHandler = (_request, _response, next) => next()) {
  arrived = answered = 0;
  app = await createTestApp({
    ...options,
    configure: (server) => {
      server.use((request, response, next) => {
        arrived++;
        const { end } = response;
        response.end = function (this: typeof response, ...args: Parameters<typeof end>) {
          answered++;
          return end.apply(this, args);
        } as typeof end;
        before(request, response, next);
      });
    },
  });
}

/** Sends a request and resets the connection before the server can have read it. */
async function sendAndLeave(path: string, body: object, headers = {}): Promise<void> {
  const { host, hostname, port } = new URL(app.url);
  const text = JSON.stringify(body);
  const lines = { Host: host, 'Content-Type': 'application/json', 'Content-Length': text.length, ...headers };
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
  const before = arrived;
  const socket = connect(Number(port), hostname);
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  socket.write(`POST ${path} HTTP/1.1\r\n${head.join('')}\r\n${text}`);
  socket.resetAndDestroy();
  await until(() => arrived > before);
}

const users = async () => (await app.database.pool.query('select count(*)::int as n from app_user')).rows[0].n;
const signUp = (index: number) => ({ email: `bot${index}@example.com`, password: PASSWORD });

const parser = express5.json();

/** The app delays a request if the client asks for that, with its body unread or read. */
const lateMiddleware: RequestHandler = (request, response, next) => {
  const late = request.headers['x-late'];
  const wait = () => void (request.socket.destroyed ? next() : request.socket.once('close', () => next()));
  if (late === 'read') parser(request, response, wait);
  else if (late) wait();
  else next();
};

const MOMENTS: [when: string, headers: object][] = [
  ['before the library reads it', {}],
  ['while a middleware of the app runs before the library', { 'X-Late': 'yes' }],
  ['while a middleware of the app, which has read the body, runs before the library', { 'X-Late': 'read' }],
];

describe.each([4, 5] as const)('a client that sends a request and disconnects at once, on Express %i', (express) => {
  test.each(MOMENTS)('%s creates no user', async (_when, headers) => {
    await start({ express, settings: { registrationRateLimit: '3/1h/ip' } }, lateMiddleware);
    for (let index = 0; index < 10; index++) await sendAndLeave('/auth/registration', signUp(index), headers);
    await until(() => answered === 10);
    expect(await users()).toBe(0);
    expect(app.log).toEqual([]);
    expect((await app.client().register('honest@example.com')).status).toBe(201);
  });

  test.each(MOMENTS)('%s causes no check of a password', async (_when, headers) => {
    const { CountingHasher, counts } = countingHasher();
    const settings = { loginRateLimit: '3/15m/ip' };
    await start({ express, settings, auth: { services: [CountingHasher] } }, lateMiddleware);
    for (let index = 0; index < 10; index++) {
      await sendAndLeave('/auth/login', { email: 'ada@example.com', password: `wrong ${index}` }, headers);
    }
    await until(() => answered === 10);
    expect(counts.checks).toBe(0);
    expect(app.log).toEqual([]);
  });

  test('is refused without a log line even if the app has read its address', async () => {
    await start({ express }, (request, response, next) => {
      void request.ip; // as request loggers do
      lateMiddleware(request, response, next);
    });
    await sendAndLeave('/auth/login', { email: 'ada@example.com', password: 'wrong' }, { 'X-Late': 'yes' });
    await until(() => answered === 1);
    expect(app.log).toEqual([]);
  });
});

test('behind a proxy on a Unix socket, where no client has an address, requests are served', async () => {
  const own = express5();
  app = await createTestApp({ own });
  const path = join(await mkdtemp(join(tmpdir(), 'jwt-allauth-')), 'socket');
  const server = own.listen(path);
  await new Promise((resolve) => server.once('listening', resolve));
  const body = JSON.stringify({ email: 'ada@example.com', password: PASSWORD });
  const status = await new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length };
    const sent = request({ socketPath: path, path: '/auth/registration', method: 'POST', headers, agent: false });
    sent.once('response', (response) => resolve(response.resume().statusCode)).once('error', reject);
    sent.end(body);
  });
  expect(status).toBe(201);
  expect(app.log).toEqual([
    expect.objectContaining({ level: 'warn', message: expect.stringMatching(/no IP address/) }),
  ]);
  await new Promise((resolve) => server.close(resolve));
  await rm(dirname(path), { recursive: true });
});
