import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../demo/database.js';
import { RefreshToken } from '../../demo/refresh-token.js';
import { startServer } from '../../demo/server.js';
import type { OpenApiDocument } from '../../src/openapi/index.js';
import { operationsOf } from '../support/documented-app.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { SECRET } from '../support/test-app.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { launchChromium } from './chromium.js';

let database: TestDatabase;
let orm: MikroORM;
let server: Server;
let browser: Browser;
let url: string;
beforeAll(async () => {
  database = await createTestDatabase();
  orm = await openDatabase(database.url, { DEMO_STAFF_PASSWORD: 'the staff of the demo' });
  const keys = { secretKey: SECRET, encryptionKeys: ENCRYPTION_KEY, refreshToken: RefreshToken };
  const passkeys = { passkeyRpId: 'localhost', passkeyOrigins: 'http://localhost' };
  const settings = { ...keys, ...passkeys, development: true };
  server = await startServer(orm, settings, { port: 0, host: '127.0.0.1', isDevelopment: false });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  browser = await launchChromium('docs.test', 1);
});
afterAll(async () => {
  await browser.close();
  server.close().closeAllConnections();
  await orm.close(true);
  await database.drop();
});

test('the API page shows every operation, sends a request, and loads nothing from other servers', async () => {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const faults: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' && !/status of 401/.test(message.text())) faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (origin !== url && !['data:', 'blob:'].includes(protocol)) faults.push(`a request to ${origin}`);
  });
  await page.goto(`${url}/docs`);
  const sectionOf = (method: string, path: string) =>
    page.locator(`.expanded-endpoint-body[id="${method}-${path.replace(/[{}]/g, '-')}"]`);
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as OpenApiDocument;
  for (const { method, path, operation } of operationsOf(document)) {
    const { summary = '' } = operation;
    await sectionOf(method, path).getByText(summary, { exact: true }).first().waitFor();
  }

  const login = sectionOf('post', '/auth/login');
  await login.scrollIntoViewIfNeeded();
  const body = login.locator('textarea').first();
  await body.fill(JSON.stringify({ email: 'staff@example.com', password: 'the staff of the demo' }));
  await login.getByRole('button', { name: /try/i }).click();
  await login.getByText('"access"').first().waitFor();
  expect(faults).toEqual([]);
});
