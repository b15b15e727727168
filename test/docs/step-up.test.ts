import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import express from 'express';
import { expect, test } from 'vitest';
import { Fresh, SecondFactor } from '../../src/index.js';
import { blockWith } from '../support/documented-snippet.js';
import { rowsOf } from '../support/manual.js';
import { claimsOf } from '../support/race.js';
import { createTestApp } from '../support/test-app.js';
import { TestClient } from '../support/test-client.js';

const run = promisify(execFile);

test('the table of answers is right, and the command of the page makes the session fresh', async () => {
  const own = express();
  const app = await createTestApp({ own });
  const rules = { "`Fresh('10m')`": Fresh('10m'), '`SecondFactor`': SecondFactor };
  for (const [index, rule] of Object.values(rules).entries()) {
    own.get(`/${index}`, app.auth.requireAuth(rule), (_, response) => void response.json({}));
  }
  const client = new TestClient(app.url, 'cookie', 'refresh_token');
  await client.register('ada@example.com', 'a long sentence');
  app.clock.advance(601);
  const rows = rowsOf('step-up').filter(([rule = '']) => rule in rules);
  expect(rows).toHaveLength(2);
  for (const [rule = '', code = '', header = ''] of rows) {
    const { body, headers } = await client.get(`/${Object.keys(rules).indexOf(rule)}`);
    expect(code).toContain(`\`${body.code}\``);
    expect(header.slice(1, -1)).toBe(headers.get('www-authenticate')?.replace(body.detail, '…'));
  }
  const command = blockWith('sh', '$API/reauthenticate');
  const env = { ...process.env, API: `${app.url}/auth`, ACCESS: client.access };
  const { stdout } = await run('bash', ['-euc', command], { env });
  expect(claimsOf(JSON.parse(stdout).access).auth_time).toBe(Math.floor(app.clock.now() / 1000));
  await app.close();
});
