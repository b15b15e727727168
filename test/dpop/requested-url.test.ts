import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import express, { type Request } from 'express';
import { describe, expect, test } from 'vitest';
import { type AddressedRequest, hostOf, isOwnOrigin, isUrlOf } from '../../src/dpop/requested-url.js';
import { rawRequest } from '../support/raw-request.js';

const VERSIONS: Readonly<Record<string, typeof express>> = {
  'Express 4': createRequire(import.meta.url)('express4') as typeof express,
  'Express 5': express,
};

/** How a request arrives. */
interface Arrival {
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly trustProxy?: number | string;
  /** The path at which the part of the app is mounted that handles the request. */
  readonly mountedAt?: string;
  readonly publicUrl?: string;
  readonly trustedOrigins?: readonly string[];
}

/** Sends a request to an app of this version of Express, and returns what the app has received. */
async function received(create: typeof express, arrival: Arrival): Promise<Request> {
  const { path = '/auth/refresh', headers = { host: 'app.test' }, trustProxy, mountedAt = '/' } = arrival;
  const [app, part] = [create(), create()];
  let seen: Request | undefined;
  if (trustProxy !== undefined) app.set('trust proxy', trustProxy);
  part.use((request, response) => {
    seen = request;
    response.end();
  });
  app.use(mountedAt, part);
  await answeredBy(createServer(app), path, headers);
  return seen as Request;
}

async function answeredBy(server: Server, path: string, headers: Record<string, string>): Promise<void> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  await rawRequest(`http://127.0.0.1:${port}${path}`, { headers });
  server.close();
}

const https = { 'x-forwarded-proto': 'https' };
const PROXY: Arrival = { trustProxy: 1, headers: { host: 'app.test', ...https } };
const FORWARDED: Arrival = {
  trustProxy: 1,
  headers: { host: 'backend:3000', 'x-forwarded-host': 'app.test', ...https },
};
const STRIPPED: Arrival = { publicUrl: 'https://app.test/api', headers: { host: 'backend:3000' } };

/** The request, and the URLs that clients of it may and may not put into a proof. */
const CASES: readonly [what: string, arrival: Arrival, right: readonly string[], wrong: readonly string[]][] = [
  [
    'a request without a proxy',
    {},
    [
      'http://app.test/auth/refresh',
      'https://app.test/auth/refresh',
      'http://app.test:80/auth/refresh',
      'https://app.test:443/auth/refresh',
      'HTTP://APP.Test/auth/refresh',
      'http://app.test/auth/refresh?quiet=true',
      'http://app.test/auth/refresh#fragment',
      'http://app.test/auth/x/../refresh',
    ],
    [
      'http://app.test:443/auth/refresh',
      'https://app.test:80/auth/refresh',
      'http://app.test:81/auth/refresh',
      'http://www.app.test/auth/refresh',
      'http://app.test./auth/refresh',
      'http://app.test/auth/refresh/',
      'http://app.test/auth/refresh/x',
      'http://app.test/auth/Refresh',
      'http://app.test/auth/login',
      'http://app.test/api/auth/refresh',
      'http://app.test/refresh',
      'http://app.test',
      'ftp://app.test/auth/refresh',
      'app.test/auth/refresh',
      '//app.test/auth/refresh',
      '/auth/refresh',
      'null',
      '',
    ],
  ],
  [
    'a request with a query',
    { path: '/auth/refresh?quiet=true&next=/auth/login#no' },
    ['http://app.test/auth/refresh', 'http://app.test/auth/refresh?another'],
    ['http://app.test/auth/login'],
  ],
  [
    'a request with a port',
    { headers: { host: 'app.test:8443' } },
    ['http://app.test:8443/auth/refresh', 'https://app.test:8443/auth/refresh'],
    ['http://app.test/auth/refresh', 'https://app.test/auth/refresh'],
  ],
  [
    'a request whose Host has the default port of http',
    { headers: { host: 'app.test:80' } },
    ['http://app.test/auth/refresh', 'http://app.test:80/auth/refresh'],
    ['http://app.test:81/auth/refresh', 'https://app.test/auth/refresh'],
  ],
  [
    'a request whose Host has the default port of https, behind a proxy that ends TLS',
    { headers: { host: 'app.test:443' } },
    ['https://app.test/auth/refresh', 'https://app.test:443/auth/refresh'],
    ['http://app.test/auth/refresh'],
  ],
  ['a Host in capitals', { headers: { host: 'APP.test' } }, ['http://app.test/auth/refresh'], []],
  [
    'a Host on IPv6',
    { headers: { host: '[::1]:81' } },
    ['http://[::1]:81/auth/refresh', 'http://[0:0:0:0:0:0:0:1]:81/auth/refresh'],
    ['http://[::1]/auth/refresh', 'http://[::2]:81/auth/refresh'],
  ],
  ['an empty Host', { headers: { host: '' } }, [], ['http:///auth/refresh', 'http://app.test/auth/refresh']],
  ['a Host that is none', { headers: { host: 'a b/c' } }, [], ['http://a/auth/refresh', 'http://a b/c/auth/refresh']],
  [
    'a Host with a path',
    { headers: { host: 'app.test/auth' } },
    [],
    ['http://app.test/auth/refresh', 'http://app.test/auth/auth/refresh'],
  ],
  [
    'a Host with a user',
    { headers: { host: 'user@app.test' } },
    [],
    ['http://app.test/auth/refresh', 'http://user@app.test/auth/refresh'],
  ],
  [
    'a trusted proxy that ends TLS',
    PROXY,
    ['https://app.test/auth/refresh'],
    ['http://app.test/auth/refresh', 'https://app.test:80/auth/refresh'],
  ],
  [
    'a trusted proxy that forwards the host',
    FORWARDED,
    ['https://app.test/auth/refresh', 'https://APP.test:443/auth/refresh'],
    ['https://backend:3000/auth/refresh', 'http://app.test/auth/refresh'],
  ],
  [
    'a forwarded host without trust',
    { ...FORWARDED, trustProxy: undefined },
    ['http://backend:3000/auth/refresh'],
    ['https://app.test/auth/refresh', 'http://app.test/auth/refresh'],
  ],
  [
    'a forwarded host from an address without trust',
    { ...FORWARDED, trustProxy: '10.0.0.1' },
    ['http://backend:3000/auth/refresh'],
    ['https://app.test/auth/refresh'],
  ],
  [
    'several forwarded hosts, of which the first counts, as in Express',
    { ...FORWARDED, headers: { host: 'backend', 'x-forwarded-host': 'app.test, proxy.test', ...https } },
    ['https://app.test/auth/refresh'],
    ['https://proxy.test/auth/refresh', 'https://backend/auth/refresh'],
  ],
  [
    'a part of the app below a path',
    { mountedAt: '/v1', path: '/v1/auth/refresh' },
    ['http://app.test/v1/auth/refresh'],
    ['http://app.test/auth/refresh'],
  ],
  [
    'a part of the app below a path, at a trusted proxy that forwards the host',
    { ...FORWARDED, mountedAt: '/v1', path: '/v1/auth/refresh' },
    ['https://app.test/v1/auth/refresh'],
    ['https://app.test/auth/refresh'],
  ],
  [
    'PUBLIC_URL without a path, at a proxy that is not trusted',
    { publicUrl: 'https://app.test', headers: { host: 'backend:3000' } },
    ['https://app.test/auth/refresh', 'http://backend:3000/auth/refresh'],
    ['http://app.test/auth/refresh', 'https://app.test/api/auth/refresh', 'https://app.test//auth/refresh'],
  ],
  [
    'PUBLIC_URL with a path that the proxy removes',
    STRIPPED,
    ['https://app.test/api/auth/refresh', 'http://backend:3000/auth/refresh'],
    [
      'http://app.test/api/auth/refresh',
      'https://app.test/api/auth/login',
      'https://app.test/api/api/auth/refresh',
      'https://evil.test/api/auth/refresh',
    ],
  ],
  [
    'PUBLIC_URL with a path and a slash at its end',
    { ...STRIPPED, publicUrl: 'https://app.test/api/' },
    ['https://app.test/api/auth/refresh'],
    ['https://app.test/api//auth/refresh'],
  ],
  [
    'PUBLIC_URL with a path that the proxy keeps',
    { ...STRIPPED, path: '/api/auth/refresh' },
    ['https://app.test/api/auth/refresh'],
    ['https://app.test/auth/refresh'],
  ],
  [
    'a trusted origin, which is a proxy of another page of the app',
    { headers: { host: 'backend' }, trustedOrigins: ['https://other.test', 'http://localhost:5173'] },
    ['https://other.test/auth/refresh', 'http://localhost:5173/auth/refresh', 'http://backend/auth/refresh'],
    ['http://other.test/auth/refresh', 'https://other.test/auth/login', 'https://other.test:444/auth/refresh'],
  ],
  [
    'a trusted origin below the path of PUBLIC_URL',
    { ...STRIPPED, trustedOrigins: ['https://other.test'] },
    ['https://other.test/auth/refresh', 'https://other.test/api/auth/refresh'],
    ['https://other.test/v1/auth/refresh'],
  ],
];

describe.each(Object.entries(VERSIONS))('with %s, the URL of', (_version, create) => {
  test.each(CASES)('%s', async (_what, arrival, right, wrong) => {
    const { publicUrl, trustedOrigins = [] } = arrival;
    const request = await received(create, arrival);
    const isUrl = (htu: string) => isUrlOf(htu, request, { publicUrl, trustedOrigins });
    expect(right.filter((htu) => !isUrl(htu))).toEqual([]);
    expect(wrong.filter(isUrl)).toEqual([]);
  });
});

const plain: AddressedRequest = { method: 'POST', headers: { host: 'app.test' }, url: '/auth/refresh' };
const NOTHING_SET = { trustedOrigins: [] };

test('a plain Node request has the URL of its own, also without Express', () => {
  expect(isUrlOf('http://app.test/auth/refresh', plain, NOTHING_SET)).toBe(true);
  expect(isUrlOf('http://app.test/auth/login', plain, NOTHING_SET)).toBe(false);
  expect(hostOf({ headers: { host: 'app.test', 'x-forwarded-host': 'evil.test' } })).toBe('app.test');
});

test.each([undefined, null, 1, {}, ['http://app.test/auth/refresh'], new URL('http://app.test/auth/refresh')])(
  'the value %j is no URL of a request',
  (htu) => expect(isUrlOf(htu, plain, NOTHING_SET)).toBe(false),
);

test('a request without a host or a path has no URL', () => {
  const without = { ...plain, headers: {} };
  expect([hostOf(without), isOwnOrigin('http://app.test', without)]).toEqual([undefined, false]);
  expect(isUrlOf('http://app.test/', { headers: plain.headers }, NOTHING_SET)).toBe(false);
});
