import { request } from 'node:https';
import express from 'express';
import { afterEach, describe, expect, test } from 'vitest';
import { type BaseUser, type ForUserOptions, RefreshToken, type SettingsInput } from '../../src/index.js';
import { type DocumentedProxy, nginx, startProxy } from '../support/documented-proxy.js';
import { blockWith } from '../support/documented-snippet.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';

const LINES = blockWith('nginx', 'proxy_buffer_size');
const HOST = 'app.example.com';
const PAGE = `https://${HOST}`;
const CREDENTIALS = { email: 'proxied@example.com', password: PASSWORD };

let app: TestApp;
let proxy: DocumentedProxy;
afterEach(async () => {
  await proxy.close();
  await app.close();
});

interface StartOptions {
  readonly without?: RegExp;
  readonly settings?: SettingsInput;
  readonly trustProxy?: unknown;
}

/** An app behind the lines of the manual. */
async function start({ without, settings, trustProxy }: StartOptions = {}): Promise<void> {
  const own = express();
  if (trustProxy === undefined) new Function('app', blockWith('ts', "'trust proxy', 1); // the number"))(own);
  else own.set('trust proxy', trustProxy);
  app = await createTestApp({ own, settings: { development: false, ...settings } });
  own.get('/client', ({ ip, protocol }, response) => void response.json({ ip, protocol }));
  const lines = without ? LINES.replace(without, '') : LINES;
  if (without) expect(lines).not.toBe(LINES);
  proxy = await startProxy(lines, app.url);
}

/** A request of a browser that has opened the page. */
function send(path: string, body?: object, headers: Record<string, string> = {}) {
  const text = body && JSON.stringify(body);
  const sent = { host: HOST, ...(text && { 'content-type': 'application/json', origin: PAGE }), ...headers };
  // biome-ignore lint/suspicious/noExplicitAny: a test knows what it asks for
  return new Promise<{ status: number; body: any; cookies: string[] }>((resolve, reject) => {
    const where = { host: '127.0.0.1', port: proxy.port, path, rejectUnauthorized: false, agent: false };
    const asked = request({ ...where, method: text ? 'POST' : 'GET', headers: sent }, async (answer) => {
      let read = '';
      for await (const chunk of answer.setEncoding('utf8')) read += chunk;
      const isJson = /json/.test(answer.headers['content-type'] ?? '');
      const cookies = answer.headers['set-cookie'] ?? [];
      resolve({ status: answer.statusCode ?? 0, body: isJson ? JSON.parse(read) : read, cookies });
    });
    asked.on('error', reject).end(text);
  });
}

describe('the lines for nginx', () => {
  test('let the page sign up, and forward the address of the client and the use of TLS', async () => {
    await start();
    const { status, cookies } = await send('/auth/registration', CREDENTIALS);
    expect([status, cookies[0]]).toEqual([201, expect.stringMatching(/^__Host-refresh_token=.*; Secure/)]);
    expect((await send('/client')).body).toEqual({ ip: '127.0.0.1', protocol: 'https' });
  });

  test('prevent a client from choosing its address', async () => {
    await start();
    const forged = { 'x-forwarded-for': '203.0.113.9' };
    expect((await send('/client', undefined, forged)).body.ip).toBe('127.0.0.1');
  });

  test('do not prevent it if Express trusts every proxy', async () => {
    await start({ trustProxy: true });
    const forged = { 'x-forwarded-for': '203.0.113.9' };
    expect((await send('/client', undefined, forged)).body.ip).toBe('203.0.113.9');
  });

  test('without Host make the page foreign, unless PUBLIC_URL names its origin', async () => {
    const without = /\n.*proxy_set_header Host .*/;
    await start({ without });
    expect(await send('/auth/registration', CREDENTIALS)).toMatchObject({ status: 403, body: { code: 'csrf_failed' } });
    await proxy.close();
    await app.close();
    await start({ without, settings: { trustedOrigins: [PAGE] } });
    expect((await send('/auth/registration', CREDENTIALS)).status).toBe(201);
  });

  test('with X-Forwarded-Proto make a page without TLS foreign', async () => {
    await start();
    const insecure = { origin: `http://${HOST}` };
    const signUp = () => send('/auth/registration', CREDENTIALS, insecure);
    expect(await signUp()).toMatchObject({ status: 403, body: { code: 'csrf_failed' } });
    await proxy.close();
    await app.close();
    await start({ without: /\n.*X-Forwarded-Proto.*/ });
    expect((await signUp()).status).toBe(201);
  });

  test('let a refresh cookie of almost 4 kB pass, which nginx refuses without one of these lines', async () => {
    const settings = { refreshToken: LargeRefreshToken };
    await start({ settings });
    const { status, cookies } = await send('/auth/registration', CREDENTIALS);
    expect([status, (cookies[0] ?? '').length > 3800]).toEqual([201, true]);
    if (!nginx) return; // only nginx itself shows what it refuses
    await proxy.close();
    await app.close();
    await start({ settings, without: /\n.*proxy_buffer_size.*/ });
    expect((await send('/auth/registration', CREDENTIALS)).status).toBe(502);
  });
});

/** Almost the largest cookie that a browser keeps. */
class LargeRefreshToken extends RefreshToken {
  static override async forUser(user: BaseUser, options?: ForUserOptions) {
    const token = await super.forUser(user, options);
    token.payload['permissions'] = 'x'.repeat(2420);
    return token;
  }
}
