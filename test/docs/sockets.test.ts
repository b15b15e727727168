import { createHash } from 'node:crypto';
import { createServer, type RequestListener, type Server } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import express from 'express';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Principal } from '../../src/index.js';
import { startProxy } from '../support/documented-proxy.js';
import { blockWith, importSnippet } from '../support/documented-snippet.js';
import { openToken } from '../support/forge.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import type { TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';

const { acceptSockets, closeInTime } = await importSnippet('src/sockets.ts');
const { addReport } = await importSnippet('src/report.ts');

let app: TestApp;
let client: TestClient;
let server: Server;
let url: string;
let opened: { socket: Duplex; principal: Principal }[];

beforeEach(async () => {
  const own = express();
  app = await createTestApp({
    own,
    settings: { accessTokenSessionCheck: 'revocation-list', accessTokenLifetime: '5m' },
  });
  addReport(own, app.auth);
  client = await app.signedUp();
  opened = [];
  server = createServer(own as RequestListener);
  acceptSockets(
    server,
    app.auth,
    ({ request: asked, socket, principal }: { request: never; socket: Duplex; principal: Principal }) => {
      const { headers } = asked as { headers: Record<string, string> };
      const accept = createHash('sha1').update(`${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
      const answer = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
      if (headers['sec-websocket-protocol']) answer.push('Sec-WebSocket-Protocol: bearer');
      socket.write(`${[...answer, `Sec-WebSocket-Accept: ${accept.digest('base64')}`].join('\r\n')}\r\n\r\n`);
      closeInTime(app.auth, socket, principal);
      opened.push({ socket, principal });
    },
  );
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  vi.useRealTimers();
  server.closeAllConnections();
  server.close();
  for (const { socket } of opened) socket.destroy();
  await app.close();
});

/** Opens a socket as a browser does; resolves when it is open, or to undefined if it is refused. */
const open = (...protocols: string[]) =>
  new Promise<WebSocket | undefined>((resolve) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/live`, protocols);
    socket.addEventListener('open', () => resolve(socket));
    socket.addEventListener('error', () => resolve(undefined));
  });

test('a browser opens a socket with its access token as a subprotocol, and cannot without one', async () => {
  const socket = await open('bearer', client.access);
  expect(socket?.protocol).toBe('bearer');
  expect(opened[0]?.principal.id).toBe(openToken(client.access).claims.sub);
  expect(await open('bearer', 'a.b.c')).toBeUndefined();
  expect(await open()).toBeUndefined();
  expect(opened).toHaveLength(1);
});

test('a socket is closed when its session ends, and no other socket is', async () => {
  const other = await app.signedUp();
  const [ended, kept] = await Promise.all([open('bearer', client.access), open('bearer', other.access)]);
  await client.logout();
  await until(() => ended?.readyState === WebSocket.CLOSED);
  expect(kept?.readyState).toBe(WebSocket.OPEN);
  const { socket } = opened.find(({ principal }) => principal.id === openToken(other.access).claims.sub) ?? {};
  expect(socket?.destroyed).toBe(false);
});

test('a socket is closed when its access token expires', async () => {
  const socket = { destroy: vi.fn(), once: vi.fn() };
  const principal = await app.auth.authenticate(client.access);
  vi.useFakeTimers({ toFake: ['setTimeout', 'Date'], now: Date.now() });
  closeInTime(app.auth, socket, principal);
  vi.advanceTimersByTime(Number(principal.claims['exp']) * 1000 - Date.now() - 1);
  expect(socket.destroy).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(socket.destroy).toHaveBeenCalled();
});

test('a client that disconnects while its token is checked breaks nothing', async () => {
  const leaving = new WebSocket(`${url.replace('http', 'ws')}/live`, ['bearer', client.access]);
  leaving.close();
  expect((await open('bearer', client.access))?.readyState).toBe(WebSocket.OPEN);
});

test('the lines for the package ws hand it each accepted socket, and close that in time', async () => {
  const handled: unknown[][] = [];
  const listening: number[] = [];
  const closing: unknown[] = [];
  class WebSocketServer {
    constructor(readonly options: object) {}
    emit(...event: unknown[]) {
      handled.push(event);
    }
    handleUpgrade(request: unknown, socket: unknown, head: unknown, done: (webSocket: string) => void) {
      handled.push([this.options, request, socket, head]);
      done('web socket');
    }
  }
  const accept = (_server: unknown, _auth: unknown, each: (upgrade: object) => void) =>
    each({ request: 'request', socket: 'socket', head: 'head', principal: 'principal' });
  const close = (_auth: unknown, ...socket: unknown[]) => closing.push(...socket);
  const own = { listen: (port: number) => listening.push(port) };
  const names = ['WebSocketServer', 'acceptSockets', 'closeInTime', 'app', 'auth'];
  new Function(...names, blockWith('ts', 'new WebSocketServer'))(WebSocketServer, accept, close, own, app.auth);
  expect(handled).toEqual([
    [{ noServer: true }, 'request', 'socket', 'head'],
    ['connection', 'web socket', 'request', 'principal'],
  ]);
  expect([listening, closing]).toEqual([[3000], ['socket', 'principal']]);
});

test('a page sends its access token as the second subprotocol', async () => {
  const Opened = vi.fn();
  const text = blockWith('js', 'new WebSocket(').replace('const socket =', 'return');
  const AsyncFunction = Object.getPrototypeOf(async () => undefined).constructor;
  await new AsyncFunction('WebSocket', 'auth', text)(Opened, { accessToken: async () => 'token' });
  expect(Opened).toHaveBeenCalledWith('wss://app.example.com/live', ['bearer', 'token']);
});

test('the lines for nginx let a socket pass, and the report requires its role', async () => {
  const lines = blockWith('nginx', 'proxy_buffer_size').replace(/\}\s*$/, `${blockWith('nginx', 'location /live')}}`);
  const proxy = await startProxy(lines, url);
  const asked = request({
    ...{ host: '127.0.0.1', port: proxy.port, path: '/live', rejectUnauthorized: false },
    headers: {
      ...{ host: 'app.example.com', connection: 'Upgrade', upgrade: 'websocket' },
      ...{ 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==', 'sec-websocket-version': '13' },
      'sec-websocket-protocol': `bearer, ${client.access}`,
    },
  });
  const status = await new Promise((resolve, reject) => {
    asked.on('upgrade', (answer, socket) => {
      socket.destroy();
      resolve(answer.statusCode);
    });
    asked.on('response', (answer) => resolve(answer.statusCode));
    asked.on('error', reject).end();
  });
  expect(status).toBe(101);
  await proxy.close();
  expect((await client.get('/report')).body).toMatchObject({ code: 'permission_denied' });
  await app.database.pool.query('update app_user set role = 700');
  await client.refresh();
  expect((await client.get('/report')).body).toEqual({ by: openToken(client.access).claims.sub });
});
