import { EventEmitter, once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  request as requestPlain,
  type Server,
} from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { transform } from 'esbuild';
import express from 'express';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Principal } from '../../src/index.js';
import { startProxy } from '../support/documented-proxy.js';
import { blockWith, importSnippet } from '../support/documented-snippet.js';
import { openToken } from '../support/forge.js';
import { StandInWebSocketServer } from '../support/stand-in-web-socket.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import type { TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';

const sockets = await importSnippet('src/sockets.ts');
const { closeInTime } = sockets;
const { addReport } = await importSnippet('src/report.ts');
const { Machines } = await importSnippet('src/machines.ts');

/** The manual's authenticator, which imports the built library, with the principals of the sources. */
class MachinesOfThisBuild {
  async authenticate(asked: IncomingMessage) {
    const principal = await new Machines().authenticate(asked);
    return principal && new Principal(principal.claims, principal.kind);
  }
}

/** The servers of WebSockets that the page's code made. */
const made: StandInWebSocketServer[] = [];
const ws = {
  WebSocketServer: class extends StandInWebSocketServer {
    constructor() {
      super();
      made.push(this);
    }
  },
};

/** The function of the page's second file, over its first one and a stand-in for the package ws. */
async function loadServeSockets() {
  const { code } = await transform(blockWith('ts', 'export function serveSockets'), { loader: 'ts', format: 'cjs' });
  const module = { exports: {} as { serveSockets: (server: Server, auth: TestApp['auth']) => () => void } };
  new Function('require', 'module', code)((name: string) => (name === 'ws' ? ws : sockets), module);
  return module.exports.serveSockets;
}
const serveSockets = await loadServeSockets();

let app: TestApp;
let client: TestClient;
let server: Server;
let url: string;
let closeAll: () => void;

beforeEach(async () => {
  vi.stubEnv('MACHINE_KEY', 'the key of the machine');
  const own = express();
  app = await createTestApp({
    own,
    settings: { accessTokenSessionCheck: 'revocation-list', accessTokenLifetime: '5m' },
    auth: { authenticators: [MachinesOfThisBuild] },
  });
  addReport(own, app.auth);
  client = await app.signedUp();
  server = createServer(own as RequestListener);
  closeAll = serveSockets(server, app.auth);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  server.closeAllConnections();
  server.close();
  for (const { clients } of made.splice(0)) for (const socket of clients) socket.terminate();
  await app.close();
});

const live = () => [...(made[0]?.clients ?? [])];

/** Opens a socket of Node with these headers; returns the status of the answer. */
const statusOf = (headers: Record<string, string>, path = '/live') =>
  new Promise<number | undefined>((resolve, reject) => {
    const asked = requestPlain(`${url}${path}`, {
      headers: {
        ...{ connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' },
        ...{ 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' },
        ...headers,
      },
    });
    asked.on('upgrade', (answer) => resolve(answer.statusCode));
    asked.on('response', (answer) => resolve(answer.statusCode));
    asked.on('error', reject).end();
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
  const answer = new Promise((resolve) => socket?.addEventListener('message', ({ data }) => resolve(data)));
  socket?.send('hello');
  expect(await answer).toBe(`${openToken(client.access).claims.sub}: hello`);
  expect(await open('bearer', 'a.b.c')).toBeUndefined();
  expect(await open()).toBeUndefined();
  expect(live()).toHaveLength(1);
});

test('only the path of the sockets is open, and a refusal has the status of the error', async () => {
  const authorization = `Bearer ${client.access}`;
  expect(await statusOf({ authorization })).toBe(101);
  expect(await statusOf({ authorization }, '/live?since=1')).toBe(101);
  for (const path of ['/anything', '/live/', '//']) expect(await statusOf({ authorization }, path)).toBe(404);
  expect(await statusOf({})).toBe(401);
});

const closeCode = (socket: WebSocket | undefined) =>
  new Promise<number>((resolve) => socket?.addEventListener('close', ({ code }) => resolve(code)));

test('a socket is closed with 4401 when its session ends, and no other socket is', async () => {
  const other = await app.signedUp();
  const [ended, kept] = await Promise.all([open('bearer', client.access), open('bearer', other.access)]);
  const code = closeCode(ended);
  await client.logout();
  expect(await code).toBe(4401);
  expect(kept?.readyState).toBe(WebSocket.OPEN);
  await until(() => live().length === 1);
  await until(async () => !(await open('bearer', client.access))); // the list is about a second late
});

/** A socket that records its end. */
const recorded = () => Object.assign(new EventEmitter(), { close: vi.fn(), terminate: vi.fn() });

test('a socket is closed when its access token expires; a client that does not answer is cut off', async () => {
  const socket = recorded();
  socket.on('message', () => undefined);
  const principal = await app.auth.authenticate(client.access);
  vi.useFakeTimers({ toFake: ['setTimeout', 'Date'], now: Date.now() });
  closeInTime(app.auth, socket, principal);
  vi.advanceTimersByTime(Number(principal.claims['exp']) * 1000 - Date.now() - 1);
  expect(socket.close).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(socket.close).toHaveBeenCalledWith(4401);
  expect(socket.listenerCount('message')).toBe(0);
  expect(socket.terminate).not.toHaveBeenCalled();
  vi.advanceTimersByTime(2000);
  expect(socket.terminate).toHaveBeenCalled();
});

test('a machine without an expiry keeps its socket, and so does one whose expiry is years away', async () => {
  expect(await statusOf({ 'x-machine-key': 'the key of the machine' })).toBe(101);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(live()).toHaveLength(1);
  vi.useFakeTimers({ toFake: ['setTimeout', 'Date'], now: Date.now() });
  const claims = { sub: '42', role: 700, email_verified: true };
  for (const more of [{}, { exp: Date.now() / 1000 + 1e9 }]) {
    const socket = recorded();
    closeInTime(app.auth, socket, new Principal({ ...claims, ...more }, 'machine'));
    vi.advanceTimersByTime(2 ** 31 - 2);
    expect(socket.close).not.toHaveBeenCalled();
  }
});

test('the function that serveSockets returns lets the server close', async () => {
  const socket = await open('bearer', client.access);
  const code = closeCode(socket);
  let isClosed = false;
  server.close(() => {
    isClosed = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(isClosed).toBe(false);
  closeAll();
  expect(await code).toBe(1001);
  if (!isClosed) await once(server, 'close');
});

test('a client that disconnects while its token is checked breaks nothing', async () => {
  const leaving = new WebSocket(`${url.replace('http', 'ws')}/live`, ['bearer', client.access]);
  leaving.close();
  expect((await open('bearer', client.access))?.readyState).toBe(WebSocket.OPEN);
});

/** A socket of a page. */
interface PageSocket {
  readonly url: string;
  readonly protocols: readonly string[];
  readonly close: () => void;
  onopen(): void;
  onmessage(event: { data: string }): void;
  onclose(event: { code: number }): void;
}

/** The page's code, with sockets that a test drives. */
async function connectAsAPage(auth: object) {
  const opened: PageSocket[] = [];
  class Socket {
    readonly close = vi.fn();
    constructor(
      readonly url: string,
      readonly protocols: readonly string[],
    ) {
      opened.push(this as unknown as PageSocket);
    }
  }
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { code } = await transform(blockWith('js', 'export function connect'), { format: 'cjs' });
  const module = { exports: {} as { connect: (...all: unknown[]) => () => void } };
  new Function('WebSocket', 'module', code)(Socket, module);
  const received: string[] = [];
  const receive = (text: string) => received.push(text);
  const stop = module.exports.connect(auth, 'wss://app.example.com/live', receive);
  await vi.advanceTimersByTimeAsync(0);
  return { opened, received, stop };
}

test('a page sends its token, opens a lost socket again, and asks for another token after 4401', async () => {
  const auth = { accessToken: vi.fn(async () => 'first'), replaceToken: vi.fn(async () => 'second') };
  const { opened, received, stop } = await connectAsAPage(auth);
  expect(opened).toMatchObject([{ url: 'wss://app.example.com/live', protocols: ['bearer', 'first'] }]);
  opened[0]?.onopen();
  opened[0]?.onmessage({ data: 'hello' });
  expect(received).toEqual(['hello']);
  opened[0]?.onclose({ code: 1006 });
  await vi.advanceTimersByTimeAsync(1500);
  expect(opened[1]?.protocols).toEqual(['bearer', 'first']);
  expect(auth.replaceToken).not.toHaveBeenCalled();
  opened[1]?.onopen();
  opened[1]?.onclose({ code: 4401 });
  await vi.advanceTimersByTimeAsync(1500);
  expect(auth.replaceToken).toHaveBeenCalledWith('first');
  expect(opened[2]?.protocols).toEqual(['bearer', 'second']);
  stop();
  expect(opened[2]?.close).toHaveBeenCalled();
  opened[2]?.onclose({ code: 1005 });
  await vi.advanceTimersByTimeAsync(100_000);
  expect(opened).toHaveLength(3);
});

test('a page opens no socket while no user is signed in, and tries again while it is offline', async () => {
  const signedOut = await connectAsAPage({ accessToken: async () => undefined });
  await vi.advanceTimersByTimeAsync(100_000);
  expect(signedOut.opened).toEqual([]);
  const accessToken = vi.fn(async () => 'token').mockRejectedValueOnce(new Error('offline'));
  const { opened, stop } = await connectAsAPage({ accessToken });
  expect(opened).toEqual([]);
  await vi.advanceTimersByTimeAsync(1500);
  expect(opened).toHaveLength(1);
  stop();
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
