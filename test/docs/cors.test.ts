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
    'access-control-request-headers': 'authorization,content-type,dpop',
  });

/** The CORS headers of an answer. */
const corsOf = (headers: Headers) =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-')));

const OF_ALL = {
  'access-control-allow-origin': PAGE,
  'access-control-allow-credentials': 'true',
  'access-control-expose-headers': 'Retry-After,WWW-Authenticate,DPoP-Nonce',
};
const OF_PREFLIGHT = {
  'access-control-allow-methods': 'GET,POST,PUT,PATCH,DELETE',
  'access-control-allow-headers': 'Authorization,Content-Type,DPoP',
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

test('the server of the manual lets the pages of TRUSTED_ORIGINS in, before its routes, behind a proxy', async () => {
  const own = express5();
  const settings = { trustedOrigins: [PAGE] };
  app = await createTestApp({ settings });
  const program = blockWith('ts', '// src/cors-main.ts');
  const text = program.slice(program.indexOf('const app = '), program.indexOf('app.listen('));
  const names = ['express', 'allowOrigins', 'settings', 'useExpressServer', 'auth', 'ProfileController'];
  new Function(...names, text)(() => own, allowOrigins, settings, useExpressServer, app.auth, class {});
  const server = own.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/auth/login`;
  const from = (origin: string) => fetch(url, { method: 'POST', headers: { origin } });
  const [trusted, foreign] = await Promise.all([from(PAGE), from('https://evil.example')]);
  server.closeAllConnections();
  server.close();
  expect(own.get('trust proxy')).toBe(1);
  expect([trusted.status, corsOf(trusted.headers)]).toEqual([400, OF_ALL]); // its body is missing
  expect([foreign.status, corsOf(foreign.headers)]).toEqual([403, {}]);
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
