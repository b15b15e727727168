import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { totpCode } from '../../src/features/totp/totp-testing.js';
import { blocksOf } from '../support/manual.js';
import { claimsOf } from '../support/race.js';
import { PASSWORD } from '../support/test-client.js';
import { createTotpApp } from '../support/totp-app.js';

const run = promisify(execFile);

test('the commands of the page set up an app and sign in with it', async () => {
  const [, setUp = '', signIn = ''] = blocksOf('second-factor', 'sh');
  const app = await createTotpApp();
  const cwd = await mkdtemp(join(tmpdir(), 'jwt-allauth-mfa-'));
  const client = await app.signedUp('ada@example.com');
  const shell = async (commands: string, code: string) => {
    const own = commands.replace('http://127.0.0.1:3000', app.url).replace('CODE=123456', `CODE=${code}`);
    const env = { PATH: process.env.PATH, ACCESS: client.access };
    const lines = own.replace('a long sentence', PASSWORD);
    return (await run('bash', ['-euc', lines], { cwd, env })).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  };
  // The block has two steps, and the code of the second one depends on the secret of the first.
  const [first = '', second = ''] = setUp.split('# 2.');
  const [head = ''] = setUp.split('# 1.');
  const [setup] = await shell(first, '');
  const code = totpCode(setup.secret, app.clock.now());
  const [confirmed] = await shell(`${head}# 2.${second}`, code);
  expect(confirmed.recoveryCodes).toHaveLength(10);
  app.clock.advance(30);
  const [tokens] = await shell(signIn, totpCode(setup.secret, app.clock.now()));
  expect(claimsOf(tokens.access).amr).toEqual(['pwd', 'otp', 'mfa']);
  await rm(cwd, { recursive: true });
  await app.close();
});
