import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { blockWith } from '../support/documented-snippet.js';
import { createTestApp } from '../support/test-app.js';

const run = promisify(execFile);

test('the commands of the manual sign up, read, refresh and sign out, with cookies and with bodies', async () => {
  const app = await createTestApp({ settings: { refreshTokenTransport: 'both' } });
  const cwd = await mkdtemp(join(tmpdir(), 'jwt-allauth-curl-'));
  const shell = async (part: string) => {
    const commands = blockWith('sh', part).replace('http://127.0.0.1:3000', app.url);
    return (await run('bash', ['-euc', commands], { cwd })).stdout.trim().split('\n');
  };
  const [signedUp = '', user = '', changed = '', sessions = '', refreshed = '', ...out] =
    await shell('-c jar.txt $API');
  expect(JSON.parse(signedUp)).toEqual({ access: expect.any(String) });
  expect(JSON.parse(user)).toMatchObject({ email: 'ada@example.com', firstName: '' });
  expect(JSON.parse(changed)).toMatchObject({ email: 'ada@example.com', firstName: 'Ada' });
  expect(JSON.parse(sessions)).toMatchObject([{ current: true }]);
  expect(JSON.parse(refreshed)).toEqual({ access: expect.any(String) });
  expect(out).toEqual(['204']);
  expect(await app.liveSessions()).toBe(0);
  expect(await shell("BODY='Auth-Transport: body'")).toEqual(['204']);
  expect(await app.sessions()).toHaveLength(3);
  expect(await app.liveSessions()).toBe(0);
  await rm(cwd, { recursive: true });
  await app.close();
});
