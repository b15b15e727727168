import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import express5, { type Express } from 'express';
import { useExpressServer } from 'routing-controllers';
import { afterEach, describe, expect, test } from 'vitest';
import { blockWith, importSnippet } from '../support/documented-snippet.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';

const express4 = createRequire(import.meta.url)('express4') as typeof express5;
const PAGE = 'https://app.example.com';
const { allowOrigins } = await importSnippet('src/cors.ts');

let app: TestApp;
afterEach(() => app.close());

async function start(own: Express): Promise<void> {
  own.use(allowOrigins([PAGE]));
  app = await createTestApp({ own, settings: { trustedOrigins: [PAGE] } });
}

const preflight = (path: string, origin: string, method: string) =>
  app.client().send('OPTIONS', path, undefined, {
    origin,
    'access-control-request-method': method,
    'access-control-request-headers': 'authorization,content-type',
  });

/** The CORS headers of an answer. */
const corsOf = (headers: Headers) =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-')));

const OF_ALL = {
  'access-control-allow-origin': PAGE,
  'access-control-allow-credentials': 'true',
  'access-control-expose-headers': 'Retry-After,WWW-Authenticate',
};
const OF_PREFLIGHT = {
  'access-control-allow-methods': 'GET,POST,PUT,PATCH,DELETE',
  'access-control-allow-headers': 'Authorization,Content-Type',
};

describe.each([
  ['4', express4],
  ['5', express5],
])('the CORS lines of the manual on Express %s', (_, create) => {
  test('answer the preflight of every method for the listed origin and for no other', async () => {
    await start(create());
    for (const [method, path] of [
      ['POST', '/auth/login'],
      ['PATCH', '/auth/user'],
      ['DELETE', '/auth/user'],
      ['GET', '/auth/sessions'],
    ] as const) {
      const { status, headers } = await preflight(path, PAGE, method);
      expect([status, corsOf(headers), headers.get('vary')]).toEqual([204, { ...OF_ALL, ...OF_PREFLIGHT }, 'Origin']);
      const foreign = await preflight(path, 'https://app.example.com.evil.example', method);
      expect([corsOf(foreign.headers), foreign.headers.get('vary')]).toEqual([{}, 'Origin']);
    }
  });

  test('add their headers to answers and errors', async () => {
    await start(create());
    const email = 'cors@example.com';
    const from = (origin: string) => (path: string, body?: object) =>
      app.client().send('POST', `/auth${path}`, body, { origin });
    const answers = [
      await from(PAGE)('/registration', { email, password: PASSWORD }),
      await from(PAGE)('/login', { email, password: 'not the password' }),
      await from(PAGE)('/nowhere'),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 401, 404]);
    for (const { headers } of answers) expect(corsOf(headers)).toEqual(OF_ALL);
    const foreign = await from('https://evil.example')('/login', { email, password: PASSWORD });
    expect([foreign.status, corsOf(foreign.headers)]).toEqual([403, {}]);
  });
});

test('the server of the manual has the CORS lines before its routes', async () => {
  const own = express5();
  app = await createTestApp();
  const text = blockWith('ts', `app.use(allowOrigins(['${PAGE}']));`).replace('app.listen(3000);', '');
  const names = ['express', 'allowOrigins', 'useExpressServer', 'auth', 'ProfileController'];
  new Function(...names, text)(() => own, allowOrigins, useExpressServer, app.auth, class {});
  const server = own.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/auth/login`;
  const answer = await fetch(url, { method: 'POST', headers: { origin: PAGE } });
  server.closeAllConnections();
  server.close();
  expect([answer.status, corsOf(answer.headers)]).toEqual([403, OF_ALL]); // its settings do not trust the page
});

test('the options of the package cors have the same effect', async () => {
  await start(express5());
  let options: Record<string, unknown> = {};
  const cors = (given: Record<string, unknown>) => {
    options = given;
  };
  new Function('app', 'cors', blockWith('ts', 'app.use(cors('))({ use: () => undefined }, cors);
  expect(options).toEqual({
    origin: [OF_ALL['access-control-allow-origin']],
    credentials: true,
    exposedHeaders: OF_ALL['access-control-expose-headers'].split(','),
    methods: OF_PREFLIGHT['access-control-allow-methods'].split(','),
    allowedHeaders: OF_PREFLIGHT['access-control-allow-headers'].split(','),
  });
});
